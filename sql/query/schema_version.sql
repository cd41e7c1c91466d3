SELECT max(version) FROM taskflow.schema_version
