"""Reads Prometheus text on stdin with the parser of the official Python client; says as JSON what is
in it: {'name{label="value",…}': number}. Exits with 1 if a sample is there twice, or lacks its TYPE or HELP."""
import json
import sys

from prometheus_client.parser import text_string_to_metric_families

samples = {}
for family in text_string_to_metric_families(sys.stdin.read()):
    if family.type not in ("counter", "gauge", "histogram") or not family.documentation:
        sys.exit(f"{family.name}: type {family.type}, help {family.documentation!r}")
    for sample in family.samples:
        labels = ",".join(f'{name}="{value}"' for name, value in sample.labels.items())
        name = f"{sample.name}{{{labels}}}" if labels else sample.name
        if name in samples:
            sys.exit(f"{name}: twice")
        samples[name] = sample.value
json.dump(samples, sys.stdout)
