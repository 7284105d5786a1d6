# runs in the Python of QGIS, which is not the one of the tests
collect_ignore = ["qgis_check.py", "qgis_project_check.py"]
