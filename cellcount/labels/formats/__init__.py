"""Labels as other programs keep them.

Libraries that convert between these (labelformat 0.1, globox 2.9) take the size of the stored
pixels for the photo's, which puts the boxes of photos that EXIF turns into the wrong place, and
skip or assert where a file is damaged. So here is the little that it takes, in the frame of the
upright photo and with an error that names file and line.

A format is a module. ``mine`` says whether a file is of it, by content; ``read`` takes such files;
``write``, where there is one, takes photos with labels. Boxes are whole pixels as in
:mod:`cellcount.labels.voc`, whose right and lower edges lie at xmax and ymax, so that a width is
xmax - xmin in all of them.
"""

WRITTEN = ("coco", "yolo", "voc", "csv", "imagej", "qupath", "labelme")
FORMATS = (*WRITTEN, "cvat", "labelstudio", "via", "cellpose", "masks")
