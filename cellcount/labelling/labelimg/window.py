"""What the window offers and remembers."""

from functools import partial, wraps
from pathlib import Path
from typing import Any

from PyQt5.QtWidgets import QAction, QShortcut

from cellcount.labelling.labelimg.mended import mend
from icevision_bridge.patches import Mending, loaded

_OFF = (
    "changeSaveFormat",
    "changeSavedAnnotationDir",
    "openAnnotationDetail",
    "resetAllDetail",
    "deleteImgDetail",
)


@mend(
    "libs.settings",
    breaks="settings in the home folder bring another format, folder or mode from another day",
)
def old_settings_come_back() -> Mending:
    module = yield
    settings = module.Settings
    auto_save = loaded("libs.constants").SETTING_AUTO_SAVE

    # The user's own labelImg keeps its file: it is neither read nor written.
    settings.load = lambda self: self.data.update({auto_save: True})
    settings.save = settings.reset = lambda self: None


@mend(
    "labelImg.labelImg",
    breaks="a .txt or .json that shares a photo's name switches the format of all that follow",
)
def other_formats_take_over() -> Mending:
    module = yield
    window = module.MainWindow

    def not_read(self: Any, path: str, *_: Any) -> None:
        self.status(f"{Path(path).name} is not read: labels are Pascal VOC here, in XML.")

    window.load_yolo_txt_by_filename = window.load_create_ml_json_by_filename = not_read
    window.change_format = lambda self: None


@mend(
    "labelImg.labelImg",
    breaks="the label dialog opens empty",
)
def the_label_is_typed_again() -> Mending:
    module = yield
    window = module.MainWindow
    init = window.__init__

    @wraps(init)
    def init_with_label(self: Any, *args: Any) -> None:
        init(self, *args)
        self.prev_label_text = self.label_hist[0] if self.label_hist else ""

    window.__init__ = init_with_label


@mend(
    "labelImg.labelImg",
    breaks="no key says of which class a box is: each takes a dialog",
)
def classes_have_no_keys() -> Mending:
    module = yield
    window = module.MainWindow
    init = window.__init__

    def classify(self: Any, name: str) -> None:
        self.prev_label_text = name
        self.status(f"{name}: the selected box, and those drawn from now on")
        if self.canvas.editing() and (item := self.current_item()):
            item.setText(name)
            item.setBackground(module.generate_color_by_text(name))
            self.update_combo_box()

    @wraps(init)
    def init_with_keys(self: Any, *args: Any) -> None:
        init(self, *args)
        for number, name in enumerate(self.label_hist[:9], 1):
            QShortcut(str(number), self, partial(classify, self, name))

    window.__init__ = init_with_keys


@mend(
    "labelImg.labelImg",
    breaks="a slip changes the format, the place of the XML, or deletes the photo unasked",
)
def slips_do_harm() -> Mending:
    module = yield
    window = module.MainWindow
    init = window.__init__

    @wraps(init)
    def init_without(self: Any, *args: Any) -> None:
        init(self, *args)
        tips = {self.string_bundle.get_string(name) for name in _OFF}
        for action in self.findChildren(QAction):
            if action.statusTip() in tips:
                action.setEnabled(False)

    window.__init__ = init_without


@mend(
    "labelImg.labelImg",
    breaks="a photo without cells can only be saved by verifying it",
)
def nothing_cannot_be_saved() -> Mending:
    module = yield
    window = module.MainWindow
    set_clean = window.set_clean

    @wraps(set_clean)
    def set_clean_and_saveable(self: Any) -> None:
        set_clean(self)
        self.actions.save.setEnabled(bool(self.file_path) and not self.image.isNull())

    window.set_clean = set_clean_and_saveable


@mend(
    "labelImg.labelImg",
    breaks="a duplicated box (Ctrl+D) is not saved, for the photo does not count as changed",
)
def duplicates_are_not_saved() -> Mending:
    module = yield
    window = module.MainWindow
    copy = window.copy_selected_shape

    def copy_and_mark(self: Any, _: bool = False) -> None:
        if self.canvas.selected_shape:
            copy(self)
            self.set_dirty()

    window.copy_selected_shape = copy_and_mark
