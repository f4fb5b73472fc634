"""XML of unknown origin, read without following its entities."""

from pathlib import Path
from xml.etree import ElementTree

import defusedxml
import defusedxml.ElementTree

from cellcount.labels.findings import MEND, AnnotationError, Finding


def parse(path: Path) -> ElementTree.Element:
    """The root of an XML of unknown origin.

    Raises:
        AnnotationError: the file is missing, damaged or dangerous.
    """
    if path.exists() and not path.is_file():
        problem = "It has the name of an XML, but is no file."
        raise AnnotationError(Finding(path, problem, "Rename it or move it out of the folder."))
    try:
        root = defusedxml.ElementTree.parse(path).getroot()
    except OSError as error:
        cure = "Check the name and that you may read it."
        problem = f"The file cannot be read ({error.strerror})."
        raise AnnotationError(Finding(path, problem, cure)) from error
    except defusedxml.DefusedXmlException as error:
        problem = "The XML defines entities, as attacks do and labelling programs never do."
        raise AnnotationError(Finding(path, problem, MEND)) from error
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        problem = f"The XML is damaged ({error})."
        raise AnnotationError(Finding(path, problem, MEND)) from error
    return root


def root_tag(path: Path) -> str | None:
    """The tag of an XML's root; None if it cannot be read."""
    try:
        return str(parse(path).tag)
    except AnnotationError:  # reading it will say what is wrong
        return None
