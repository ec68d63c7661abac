#!/usr/bin/python3
"""What is in deploy/ and docker-compose.yml, checked without a cluster.

    PEAL_BUILD=build/asan tests/deploy/deploy_test.py

Manifests against the schemas of Kubernetes (strict: a misspelt field is an error), the compose file by Compose
itself, settings by the gateway's own -t, and the times that must be longer than others.
"""

import glob
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest

import jsonschema
import yaml

ROOT = os.path.realpath(os.path.join(os.path.dirname(__file__), "../.."))
SCHEMAS = os.path.join(ROOT, "tests/deploy/schemas/kubernetes_validate/kubernetes-json-schema")
MANIFESTS = os.path.join(ROOT, "deploy/kubernetes")
GATEWAY = os.path.join(os.path.abspath(os.environ.get("PEAL_BUILD", os.path.join(ROOT, "build"))), "gateway/peal-gateway")
# The oldest with all that the manifests use: unhealthyPodEvictionPolicy.
OLDEST = (1, 27)


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8") as file:
        return file.read()


def documents(name):
    """(file name, document) of that manifest."""
    return [(name, d) for d in yaml.safe_load_all(read(f"deploy/kubernetes/{name}")) if d]


def all_documents():
    names = sorted(os.path.basename(p) for p in glob.glob(f"{MANIFESTS}/*.yaml"))
    return [pair for name in names if name != "kustomization.yaml" for pair in documents(name)]


def find(kind, name):
    found = [d for _, d in all_documents() if d["kind"] == kind and d["metadata"]["name"] == name]
    assert len(found) == 1, f"{kind} {name}: {len(found)} of them"
    return found[0]


def pod(deployment):
    return deployment["spec"]["template"]["spec"]


def environment(container):
    return {e["name"]: e["value"] for e in container.get("env", [])}


def default_of(key):
    """A key's default, from the document that the gateway writes."""
    row = re.search(rf"^\| `{re.escape(key)}` \|.*?\|.*?\| `(\d+)` \|", read("docs/config.md"), re.M)
    return int(row.group(1))


class Schemas:
    """A folder of schemas of one version: kind-group-version.json, and _definitions.json they refer to."""

    def __init__(self, folder):
        self.folder = folder
        self.definitions = self.load("_definitions.json")

    def load(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8") as file:
            return json.load(file)

    def errors(self, document):
        group, _, version = document["apiVersion"].rpartition("/")
        parts = [document["kind"].lower(), *([group.split(".")[0]] if group else []), version]
        try:
            schema = self.load("-".join(parts) + ".json")
        except FileNotFoundError:
            return [f"no {document['apiVersion']} {document['kind']}"]
        resolver = jsonschema.RefResolver(schema["$id"], schema, store={self.definitions["$id"]: self.definitions})
        checker = jsonschema.Draft202012Validator(schema, resolver=resolver)
        return [f"{'/'.join(map(str, e.absolute_path))}: {e.message[:200]}" for e in checker.iter_errors(document)]


def versions():
    """(version, folder) of all strict schemas that are new enough."""
    found = {}
    for folder in glob.glob(f"{SCHEMAS}/v*-local-strict"):
        numbers = re.match(r"v(\d+)\.(\d+)\.", os.path.basename(folder))
        version = (int(numbers.group(1)), int(numbers.group(2)))
        if version >= OLDEST:
            found[version] = folder
    return sorted(found.items())


class KubernetesSchemas(unittest.TestCase):
    def test_every_manifest_is_valid_in_every_version(self):
        self.assertTrue(versions(), f"no schemas in {SCHEMAS}; deploy/setup test installs them")
        for version, folder in versions():
            schemas = Schemas(folder)
            for name, document in all_documents():
                with self.subTest(version=version, file=name, kind=document["kind"]):
                    self.assertEqual(schemas.errors(document), [])

    def test_the_validator_sees_mistakes(self):
        schemas = Schemas(versions()[-1][1])
        deployment = find("Deployment", "peal-gateway")
        container = pod(deployment)["containers"][0]
        container["readinesProbe"] = container.pop("readinessProbe")
        container["ports"][0]["containerPort"] = "http"
        del deployment["spec"]["selector"]
        errors = " ".join(schemas.errors(deployment))
        for part in ("readinesProbe", "containerPort", "selector"):
            self.assertIn(part, errors)


class Kubernetes(unittest.TestCase):
    def setUp(self):
        self.deployment = find("Deployment", "peal-gateway")
        self.pod = pod(self.deployment)
        self.gateway = self.pod["containers"][0]

    def test_the_kustomization_names_all_that_is_no_example(self):
        files = {os.path.basename(p) for p in glob.glob(f"{MANIFESTS}/*.yaml")} - {"kustomization.yaml"}
        named = yaml.safe_load(read("deploy/kubernetes/kustomization.yaml"))["resources"]
        self.assertEqual(set(named), {f for f in files if not f.endswith(".example.yaml")})

    def test_selectors_find_what_they_should(self):
        labels = self.deployment["spec"]["template"]["metadata"]["labels"].items()
        for selector in (self.deployment["spec"]["selector"]["matchLabels"],
                         find("Service", "peal-gateway")["spec"]["selector"],
                         find("PodDisruptionBudget", "peal-gateway")["spec"]["selector"]["matchLabels"],
                         *(c["labelSelector"]["matchLabels"] for c in self.pod["topologySpreadConstraints"])):
            self.assertTrue(selector.items() <= labels, selector)
        target = find("HorizontalPodAutoscaler", "peal-gateway")["spec"]["scaleTargetRef"]
        self.assertEqual((target["kind"], target["name"]), ("Deployment", self.deployment["metadata"]["name"]))
        self.assertNotIn("replicas", self.deployment["spec"], "the autoscaler's number would be undone")
        redis = find("Service", "peal-redis")
        self.assertIn(f"redis://{redis['metadata']['name']}:{redis['spec']['ports'][0]['port']}",
                      environment(self.gateway)["PEAL_REDIS_URL"])

    def test_ports_are_those_that_the_gateway_opens(self):
        ports = {p["name"]: p["containerPort"] for p in self.gateway["ports"]}
        self.assertEqual(ports["http"], default_of("gateway.port"))
        self.assertEqual(ports["admin"], int(environment(self.gateway)["PEAL_ADMIN_PORT"]))
        for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
            self.assertEqual(self.gateway[probe]["httpGet"]["port"], "admin")
        self.assertIn(find("Service", "peal-gateway")["spec"]["ports"][0]["targetPort"], ports)

    def test_liveness_is_not_readiness(self):
        paths = {p: self.gateway[p]["httpGet"]["path"] for p in ("startupProbe", "livenessProbe", "readinessProbe")}
        self.assertEqual(paths, {"startupProbe": "/healthz", "livenessProbe": "/healthz", "readinessProbe": "/readyz"})

    def test_the_grace_period_holds_the_whole_drain(self):
        env = environment(self.gateway)
        pause = int(self.gateway["lifecycle"]["preStop"]["exec"]["command"][1])
        drain = sum(int(env[f"PEAL_GATEWAY_{name}"]) for name in ("DRAIN_WAIT", "DRAIN_TIME", "SHUTDOWN_TIMEOUT"))
        self.assertGreater(self.pod["terminationGracePeriodSeconds"], pause + drain / 1000)
        probe = self.gateway["readinessProbe"]
        self.assertGreater(int(env["PEAL_GATEWAY_DRAIN_WAIT"]) / 1000, probe["periodSeconds"] * probe["failureThreshold"])

    def test_the_autoscaler_acts_before_gateways_are_full(self):
        metric = find("HorizontalPodAutoscaler", "peal-gateway")["spec"]["metrics"][0]["pods"]
        limit = int(environment(self.gateway)["PEAL_GATEWAY_MAX_CONNECTIONS"])
        self.assertLess(int(metric["target"]["averageValue"]), 0.8 * limit)
        self.assertEqual(metric["metric"]["name"], "peal_connections")

    def test_no_pod_may_more_than_it_needs(self):
        for name in ("peal-gateway", "peal-redis", "peal-worker", "peal-backend"):
            spec = pod(find("Deployment", name))
            self.assertFalse(spec["enableServiceLinks"], "PEAL_GATEWAY_PORT would come from the Service")
            self.assertFalse(spec["automountServiceAccountToken"])
            self.assertTrue(spec["securityContext"]["runAsNonRoot"])
            self.assertEqual(spec["securityContext"]["seccompProfile"]["type"], "RuntimeDefault")
            for container in spec["containers"]:
                self.assertEqual(container["securityContext"], {
                    "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
                })
                self.assertIn("memory", container["resources"]["limits"])

    def test_whoever_needs_redis_is_let_in(self):
        users = [d for _, d in all_documents() if d["kind"] == "Deployment" and "redis://peal-redis" in json.dumps(pod(d))]
        self.assertGreaterEqual(len(users), 3)
        (rule,) = find("NetworkPolicy", "peal-redis")["spec"]["ingress"]
        (who,) = rule["from"][0]["podSelector"]["matchExpressions"]
        self.assertEqual((who["key"], who["operator"]), ("app.kubernetes.io/name", "In"))
        self.assertEqual(set(who["values"]), {d["spec"]["template"]["metadata"]["labels"][who["key"]] for d in users})

    def test_the_secret_is_a_template(self):
        self.assertEqual(find("Secret", "peal-auth")["stringData"], {"secret": ""})
        with tempfile.NamedTemporaryFile() as empty:
            code, words = run_gateway({"PEAL_GATEWAY_PORT": "0", "PEAL_AUTH_SECRET_FILE": empty.name})
        self.assertNotEqual(code, 0)
        self.assertIn("auth.secret_file", words)


def run_gateway(env, *args):
    """The exit code and words of the gateway in this environment; it must end by itself."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("PEAL_")}
    result = subprocess.run([GATEWAY, *args], env={**clean, **env}, capture_output=True, text=True, timeout=30, check=False)
    return result.returncode, result.stdout + result.stderr


class Settings(unittest.TestCase):
    """The gateway takes what the manifests and the compose file give it."""

    def check(self, env):
        with tempfile.NamedTemporaryFile("w") as secret:
            secret.write("0123456789abcdef0123456789abcdef")
            secret.flush()
            code, words = run_gateway(dict(env, PEAL_AUTH_SECRET_FILE=secret.name), "-t")
        self.assertEqual(code, 0, words)

    def test_of_kubernetes(self):
        self.check(environment(pod(find("Deployment", "peal-gateway"))["containers"][0]))

    def test_of_compose(self):
        self.check(yaml.safe_load(read("docker-compose.yml"))["services"]["gateway"]["environment"])

    def test_of_the_image(self):
        words = re.findall(r"(PEAL_[A-Z_]+)=(\S+)", " ".join(re.findall(r"^ENV (.*)$", read("deploy/gateway/Dockerfile"), re.M)))
        self.assertIn(("PEAL_ADMIN_PORT", "9100"), words)
        self.check({name: value for name, value in words if not value.startswith("/")})


class Compose(unittest.TestCase):
    def setUp(self):
        self.compose = yaml.safe_load(read("docker-compose.yml"))
        self.services = self.compose["services"]

    def test_compose_takes_the_file(self):
        command = ["docker", "compose"]
        if not shutil.which("docker") or subprocess.run([*command, "version"], capture_output=True, check=False).returncode:
            command = ["docker-compose"]
        self.assertTrue(shutil.which(command[0]), "no Compose; deploy/setup test installs it")
        for env in ({}, {"PEAL_AUTH_SECRET": "0123456789abcdef", "PEAL_DEMO_PORT": "3001", "BASE": "debian:trixie-slim"}):
            result = subprocess.run([*command, "-f", os.path.join(ROOT, "docker-compose.yml"), "config"], cwd=ROOT,
                                    env={**os.environ, **env}, capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(result.returncode, 0, result.stderr)
            for value in env.values():
                self.assertIn(value, result.stdout)

    def test_one_base_image(self):
        for path in glob.glob(f"{ROOT}/deploy/*/Dockerfile"):
            text = read(os.path.relpath(path, ROOT))
            self.assertIn("ARG BASE=debian:bookworm-slim\n", text, path)
            stages = set(re.findall(r"^FROM \S+ AS (\S+)$", text, re.M))
            for image in re.findall(r"^FROM (\S+)", text, re.M):
                self.assertIn(image, {"${BASE}"} | stages, path)
            self.assertRegex(text, r"(?m)^USER (?!root|0\b)", path)
            self.assertIn("\nHEALTHCHECK ", text, path)
        for name, service in self.services.items():
            self.assertTrue(os.path.exists(os.path.join(ROOT, service["build"]["dockerfile"])), name)
            self.assertIn("BASE", service["build"]["args"], name)

    def test_no_service_may_more_than_it_needs(self):
        for name, service in self.services.items():
            self.assertTrue(service["read_only"], name)
            self.assertEqual(service["cap_drop"], ["ALL"], name)
            self.assertIn("no-new-privileges:true", service["security_opt"], name)
        self.assertEqual([n for n, s in self.services.items() if "ports" in s], ["haproxy"], "one published port")
        self.assertNotIn("front", self.services["redis"]["networks"])

    def test_redis_keeps_items_in_a_volume(self):
        command = re.search(r"^CMD (\[.*\])$", read("deploy/redis/Dockerfile").replace("\\\n", ""), re.M)[1]
        words = json.loads(command)
        self.assertEqual(words[words.index("--appendonly") + 1], "yes")
        self.assertEqual(self.services["redis"]["volumes"], [f"redis:{words[words.index('--dir') + 1]}"])

    def test_the_grace_period_holds_the_whole_drain(self):
        env = self.services["gateway"]["environment"]
        drain = sum(int(env[f"PEAL_GATEWAY_{name}"]) for name in ("DRAIN_WAIT", "DRAIN_TIME", "SHUTDOWN_TIMEOUT"))
        self.assertGreater(int(self.services["gateway"]["stop_grace_period"].rstrip("s")), drain / 1000)

    def test_any_number_of_gateways(self):
        gateway = self.services["gateway"]
        self.assertGreaterEqual(gateway["deploy"]["replicas"], 3)
        self.assertNotIn("container_name", gateway)
        self.assertNotIn("ports", gateway)


class Balancers(unittest.TestCase):
    """What must be longer than what, in the shipped files."""

    def setUp(self):
        self.silence = (default_of("engine.ping_interval") + default_of("engine.ping_timeout")) / 1000

    def seconds(self, pattern, text):
        return int(re.search(pattern, text, re.M).group(1))

    def test_haproxy(self):
        text = read("deploy/haproxy/haproxy.cfg")
        self.assertGreater(self.seconds(r"^ +timeout tunnel (\d+)s$", text), self.silence)
        for side in ("client", "server"):
            self.assertGreater(self.seconds(rf"^ +timeout {side} (\d+)s$", text), default_of("engine.ping_interval") / 1000)
        noticed = self.seconds(r" inter (\d+)s ", text) * int(re.search(r" fall (\d+) ", text).group(1))
        wait = yaml.safe_load(read("docker-compose.yml"))["services"]["gateway"]["environment"]["PEAL_GATEWAY_DRAIN_WAIT"]
        self.assertGreater(int(wait) / 1000, noticed)
        self.assertNotRegex(text, r"(?m)^ +(cookie|stick|balance (source|hdr|uri))")

    def test_nginx(self):
        text = read("deploy/nginx/nginx.conf")
        for side in ("read", "send"):
            self.assertGreater(self.seconds(rf"^ +proxy_{side}_timeout (\d+)s;$", text), self.silence)
        self.assertNotRegex(text, r"(?m)^ +(ip_hash|hash|sticky)")

    def test_ingress(self):
        notes = find("Ingress", "peal")["metadata"]["annotations"]
        for side in ("read", "send"):
            self.assertGreater(int(notes[f"nginx.ingress.kubernetes.io/proxy-{side}-timeout"]), self.silence)


if __name__ == "__main__":
    unittest.main()
