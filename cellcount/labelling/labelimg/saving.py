"""Saving: into the photo's folder, whole or not at all, and before anything is left behind."""

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from PyQt5.QtWidgets import QMessageBox

from cellcount.files import replacing
from cellcount.labelling.labelimg.boxes import UNCONFIRMED, is_damaged, kept_name
from cellcount.labelling.labelimg.mended import mend
from cellcount.labels.outlines import carry
from icevision_bridge.patches import Mending


@mend(
    "libs.pascal_voc_io",
    breaks="it empties the XML before it writes, turns double spaces in names into tabs, and "
    "forgets that nobody has confirmed a model's boxes, and the outlines of all boxes",
)
def writing_loses_what_was_there() -> Mending:
    module = yield
    writer = module.PascalVocWriter
    gen_xml = writer.gen_xml

    def gen_marked_xml(self: Any) -> ElementTree.Element:
        root: ElementTree.Element = gen_xml(self)
        if self.verified is UNCONFIRMED:
            root.set("verified", "no")
        return root

    def save(self: Any, target_file: str) -> None:
        target = Path(target_file)
        root = self.gen_xml()
        self.append_objects(root)
        carry(root, target)
        ElementTree.indent(root, "\t")
        with replacing(target) as part:
            part.write_bytes(ElementTree.tostring(root, encoding="utf-8") + b"\n")
            if target.exists() and is_damaged(target):
                target.rename(kept_name(target))

    writer.gen_xml, writer.save = gen_marked_xml, save


@mend(
    "libs.labelFile",
    breaks="saving into a folder that is gone aborts, and all else that keeps it from saving",
)
def failing_to_save_aborts() -> Mending:
    module = yield
    save = module.LabelFile.save_pascal_voc_format

    @wraps(save)
    def save_or_tell(self: Any, filename: str, *args: Any, **kwargs: Any) -> None:
        folder = Path(filename).parent
        gone = not folder.is_dir()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            save(self, filename, *args, **kwargs)
        except Exception as error:  # whatever it is, the boxes stay on the screen
            reason = getattr(error, "strerror", None) or error
            raise module.LabelFileError(
                f"{filename} cannot be written ({reason}). The boxes are still here: give the "
                "folder room and the right to be written to, then save again."
            ) from error
        if gone:
            told = f"The folder {folder} was gone. It was made again, with the boxes of this photo."
            QMessageBox.warning(None, "labelImg", told)

    module.LabelFile.save_pascal_voc_format = save_or_tell


@mend(
    "labelImg.labelImg",
    breaks="it goes on after 'save' though saving failed; closing asks, and the list of photos "
    "does not even ask, where auto-save is on",
)
def boxes_are_left_behind() -> Mending:
    module = yield
    window = module.MainWindow

    def may_continue(self: Any) -> bool:
        if not self.dirty:
            return True
        answer = self.discard_changes_dialog()
        if answer == QMessageBox.Yes:
            self.save_file()
            return not self.dirty
        return bool(answer == QMessageBox.No)

    def saving_first(act: Callable[..., None]) -> Callable[..., None]:
        @wraps(act)
        def save_and_act(self: Any, *args: Any) -> None:
            if self.dirty and self.auto_saving.isChecked():
                self.save_file()
            act(self, *args)

        return save_and_act

    double_clicked = window.file_item_double_clicked

    def open_listed(self: Any, item: Any) -> None:
        if self.may_continue():
            double_clicked(self, item)

    window.may_continue = may_continue
    window.file_item_double_clicked = saving_first(open_listed)
    window.closeEvent = saving_first(window.closeEvent)
    window.import_dir_images = saving_first(window.import_dir_images)
    window.close_file = saving_first(window.close_file)


@mend(
    "labelImg.labelImg",
    breaks="boxes go to the folder of an earlier photo when another folder is opened",
)
def boxes_go_elsewhere() -> Mending:
    module = yield
    window = module.MainWindow
    load_file = window.load_file

    @wraps(load_file)
    def load_from_folder(self: Any, file_path: str) -> bool:
        if file_path:
            self.default_save_dir = str(Path(file_path).absolute().parent)
        return bool(load_file(self, file_path))

    window.load_file = load_from_folder
