"""The XML of S3's answers from plain values, and the values of what clients send."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMESPACE: Final = "http://s3.amazonaws.com/doc/2006-03-01/"


def write(tag: str, fields: Mapping[str, object], *, namespace: str = NAMESPACE) -> bytes:
    root = ET.Element(tag, {"xmlns": namespace} if namespace else {})
    _fill(root, fields)
    text: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return text


def _fill(parent: ET.Element, fields: Mapping[str, object]) -> None:
    for name, value in fields.items():
        for item in value if isinstance(value, list) else [value]:
            if item is None:
                continue
            child = ET.SubElement(parent, name)
            if isinstance(item, dict):
                _fill(child, item)
            else:
                child.text = str(item).lower() if isinstance(item, bool) else str(item)


def read(body: bytes) -> ET.Element:
    """The root, without namespaces. Raises ValueError for what is no XML."""
    try:
        root = ET.fromstring(body)  # noqa: S314 -- it was written by the test that runs
    except ET.ParseError as error:
        raise ValueError(str(error)) from error
    for element in root.iter():
        element.tag = element.tag.rpartition("}")[2]
    return root
