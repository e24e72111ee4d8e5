"""Holds the chart against Helm, Kubernetes' schemas, a real API server, and the list of rights.

Says what it does, a line for each; exit code 0 when all of it is as it must be, 1 at the first that is not.
"""

import argparse
import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml

from cluster import cluster

NAMESPACE = "causeway"
RELEASE = "causeway"
# What nothing runs without.
NEEDED = {"kafka": {"brokers": "kafka-0.example:9093"}, "audit": {"origin": "audit.agency.example"}}
# Everything that can be switched on.
EVERYTHING = {
    "kafka": {"brokers": "kafka-0.example:9093,kafka-1.example:9093", "prefix": "eu.", "caSecret": "kafka-ca",
              "strimziCluster": "main", "strimziVersion": "v1beta2", "podLabels": {"strimzi.io/cluster": "main"}, "namespace": "kafka"},
    "audit": {"origin": "audit.agency.example/2", "headFile": "audit-2.head",
              "witnesses": [{"address": "https://witness.example", "key": "witness.example+1f2e3d4c+AbC"}],
              "succeeds": [{"key": "audit.agency.example+1f2e3d4c+AbC", "head": "audit.agency.example\n7\nroot\n"}]},
    "identity": {"issuers": [{"issuer": "https://login.example", "audience": "causeway",
                              "keysAddress": "https://login.example/keys"}]},
    "registry": {"address": "https://registry.example"},
    "dashboard": {"address": "https://causeway.example", "provider": "https://login.example",
                  "services": "https://gateway.gateways.svc:8443"},
    "secrets": {"networkPrevious": {"name": "causeway-network-previous", "key": "secret"},
                "clientSecret": {"name": "causeway-client", "key": "secret"}},
    "telemetry": {"otlp": "http://collector.example:4318"},
    "genesisConfigMap": "causeway-genesis",
    "image": {"pullSecrets": ["registry"], "digest": "sha256:" + "ab" * 32},
    "gateway": {"name": "outside", "namespace": "gateways", "listener": "https", "hosts": ["causeway.example"]},
    "networkPolicy": {"from": [{"kubernetes.io/metadata.name": "gateways"}],
                      "metricsFrom": [{"kubernetes.io/metadata.name": "monitoring"}],
                      "egress": [{"ports": [{"port": 443}]}]},
    "autoscaling": {"enabled": True, "requestsPerSecond": 100, "lag": 1000},
    "monitoring": {"prometheus": True, "labels": {"release": "monitoring"}, "dashboardLabel": "grafana_dashboard"},
    "defaults": {"nodeSelector": {"kubernetes.io/os": "linux"},
                 "tolerations": [{"key": "dedicated", "operator": "Exists"}], "store": {"storageClass": "fast"}},
    "services": {"routing": {"replicas": 4, "resources": {"requests": {"cpu": "2"}}},
                 "intake": {"environment": {"CAUSEWAY_LIMITS_REQUESTS_PER_SECOND": "5000"}}},
}
# A wrong value, and the name that must be said of it.
WRONG = [
    ({"kafka": {"brokers": "no port"}}, "/kafka/brokers"),
    ({"kafka": {"partitions": 0}}, "/kafka/partitions"),
    ({"kafka": {"replication": "three"}}, "/kafka/replication"),
    ({"kafka": {"authentication": "plain"}}, "/kafka/authentication"),
    ({"kafka": {"user": "everybody"}}, "/kafka/user"),
    ({"audit": {"succeeds": [{"key": "k"}]}}, "/audit/succeeds/0"),
    ({"services": {"intake": {"environment": {"PATH": "/"}}}}, "PATH"),
    ({"kafka": {"broker": "x:1"}}, "broker"),
    ({"audit": {"origin": "with space"}}, "/audit/origin"),
    ({"audit": {"witnesses": [{"address": "https://w.example"}]}}, "/audit/witnesses/0"),
    ({"identity": {"issuers": [{"issuer": "x", "audience": "y", "keysAddress": "http://x"}]}}, "keysAddress"),
    ({"image": {"digest": "sha256:short"}}, "/image/digest"),
    ({"image": {"pullPolicy": "Sometimes"}}, "/image/pullPolicy"),
    ({"erasure": {"withinSeconds": 1}}, "/erasure/withinSeconds"),
    ({"telemetry": {"otlp": "collector:4318"}}, "/telemetry/otlp"),
    ({"dashboard": {"address": "causeway.example"}}, "/dashboard/address"),
    ({"secrets": {"cursor": {"name": ""}}}, "/secrets/cursor/name"),
    ({"secrets": {"password": {"name": "x", "key": "y"}}}, "password"),
    ({"defaults": {"replicas": -1}}, "/defaults/replicas"),
    ({"defaults": {"store": {"size": "ten"}}}, "/defaults/store/size"),
    ({"defaults": {"resources": {"requests": {"cpu": "much"}}}}, "/defaults/resources/requests/cpu"),
    ({"defaults": {"spread": {"whenUnsatisfiable": "Never"}}}, "/defaults/spread/whenUnsatisfiable"),
    ({"services": {"router": {}}}, "router"),
    ({"services": {"audit": {"replica": 1}}}, "replica"),
    ({"gateway": {"hosts": "causeway.example"}}, "/gateway/hosts"),
    ({"networkPolicy": {"enabled": "yes"}}, "/networkPolicy/enabled"),
    ({"networkPolicy": {"from": [{}]}}, "/networkPolicy/from/0"),
    ({"autoscaling": {"cpu": 200}}, "/autoscaling/cpu"),
    ({"monitoring": {"prometheus": "yes"}}, "/monitoring/prometheus"),
]
# Values that a schema cannot tell, and what must be said of them.
INCOMPLETE = [
    ({"audit": {"origin": "a.example"}}, "kafka.brokers is needed"),
    ({"kafka": {"brokers": "k:1"}}, "audit.origin is needed"),
    (NEEDED | {"dashboard": {"address": "https://c.example"}}, "dashboard.provider is needed"),
    (NEEDED | {"monitoring": {"prometheus": True}}, "networkPolicy.metricsFrom is needed"),
    ({"kafka": NEEDED["kafka"] | {"strimziCluster": "main", "authentication": "none"}, "audit": NEEDED["audit"]},
     "kafka.authentication must say"),
]
# Which service holds what: written here again, on purpose.
SECRETS = {
    "directory": {"receipts"},
    "intake": {"receipts", "identity", "network", "networkPrevious", "vaultPublic"},
    "routing": {"receipts", "identity", "vaultPublic"},
    "mla": {"receipts", "identity", "vaultPublic"},
    "victim-id": {"receipts", "identity", "vaultPublic"},
    "digest-sets": {"receipts"},
    "delivery": {"cursor", "receipts", "vaultPrivate"},
    "audit": {"receipts", "auditLog"},
    "dashboard": {"session", "clientSecret"},
}
# What Kubernetes' own schemas do not know.
FOREIGN = {"KafkaUser", "HTTPRoute", "ServiceMonitor", "PrometheusRule"}
WORKLOADS = {"StatefulSet", "Deployment"}


class Chart:
    def __init__(self, arguments):
        self.helm, self.chart = arguments.helm, Path(arguments.chart)
        self.place = Path(tempfile.mkdtemp(prefix="causeway-chart-"))

    def run(self, *words, values=(), check=True, **more):
        """Helm, with values over those of the chart."""
        command = [self.helm, *map(str, words)]
        for number, value in enumerate(values):
            path = value
            if isinstance(value, dict):
                path = self.place / f"values-{number}.yaml"
                path.write_text(yaml.safe_dump(value))
            command += ["--values", str(path)]
        result = subprocess.run(command, capture_output=True, text=True, **more)
        if check and result.returncode != 0:
            fail(f"{' '.join(command)}:\n{result.stdout}{result.stderr}")
        return result

    def objects(self, *values):
        rendered = self.run("template", RELEASE, self.chart, "--namespace", NAMESPACE, values=values)
        return [one for one in yaml.safe_load_all(rendered.stdout) if one]


def main():
    arguments = parse_arguments()
    chart = Chart(arguments)
    sizes = {
        "as it comes": [NEEDED],
        "one node": [chart.chart / "values-one-node.yaml", NEEDED],
        "three zones": [chart.chart / "values-three-zones.yaml", NEEDED],
        "everything": [chart.chart / "values-three-zones.yaml", EVERYTHING],
    }
    offline(chart, sizes)
    rights(chart)
    secrets_by_service(chart)
    network(chart)
    alerts(chart)
    with cluster(arguments.etcd, arguments.apiserver) as config:
        on_a_cluster(arguments, chart, sizes, config)
    print("the chart is as it must be")


def offline(chart, sizes):
    for name, values in sizes.items():
        chart.run("lint", chart.chart, "--strict", values=values)
        objects = chart.objects(*values)
        for one in objects:
            if one["kind"] not in FOREIGN:
                kubernetes_validate.validate(one, "1.37", strict=True)
        tell(f"{name}: {len(objects)} objects, linted and held to Kubernetes' schemas")
    for values, said in WRONG:
        refused = chart.run("template", RELEASE, chart.chart, values=[NEEDED, values], check=False)
        if refused.returncode == 0 or said not in refused.stderr:
            fail(f"{values} must be refused with {said!r}, and got: {refused.stderr}")
    for values, said in INCOMPLETE:
        refused = chart.run("template", RELEASE, chart.chart, values=[values], check=False)
        if refused.returncode == 0 or said not in refused.stderr:
            fail(f"{values} must be refused with {said!r}, and got: {refused.stderr}")
    tell(f"{len(WRONG) + len(INCOMPLETE)} wrong or missing values, each refused with its name")


def rights(chart):
    """What users may do is the list of the program, with the prefix before each name."""
    listed = json.loads((chart.chart / "files/rights.json").read_text())
    prefix = EVERYTHING["kafka"]["prefix"]
    users = [one for one in chart.objects(EVERYTHING) if one["kind"] == "KafkaUser"]
    given = {one["metadata"]["name"]: one["spec"]["authorization"]["acls"] for one in users}
    for service, expected in listed.items():
        expected = copy.deepcopy(expected)
        for right in expected:
            right["resource"]["name"] = prefix + right["resource"]["name"]
        require(given.pop(f"causeway-{service}") == expected, f"the rights of {service} are not those listed")
    require(not given, f"users beside the services: {sorted(given)}")
    tell(f"{len(listed)} users of Kafka with the rights that the program lists, and no other")


def secrets_by_service(chart):
    names = yaml.safe_load((chart.chart / "values.yaml").read_text())["secrets"] | EVERYTHING["secrets"]
    by_secret = {at["name"]: name for name, at in names.items()}
    for one in chart.objects(EVERYTHING):
        if one["kind"] not in WORKLOADS:
            continue
        service = one["metadata"]["labels"]["app.kubernetes.io/component"]
        text, mounted = json.dumps(one), set()
        for volume in one["spec"]["template"]["spec"]["volumes"]:
            for source in volume.get("projected", {}).get("sources", []):
                mounted.add(by_secret[source["secret"]["name"]])
        require(mounted == SECRETS[service], f"{service} holds {mounted}, and needs {SECRETS[service]}")
        others = [name for name, secret in by_secret.items() if secret not in SECRETS[service] and f'"{name}"' in text]
        require(not others, f"{service} names {others}")
        users = [volume["secret"]["secretName"] for volume in one["spec"]["template"]["spec"]["volumes"]
                 if volume["name"] == "kafka"]
        require(users == [f"causeway-{service}"], f"{service} is {users} at Kafka")
    for one in chart.objects(EVERYTHING):
        require(one["kind"] != "Secret", "the chart makes a Secret")
    tell("each secret is with the services that need it, and the chart makes none")


def network(chart):
    """No service is let in to another, and each is chosen by exactly one policy."""
    objects = chart.objects(EVERYTHING)
    policies = {one["metadata"]["name"]: one["spec"] for one in objects if one["kind"] == "NetworkPolicy"}
    for one in objects:
        if one["kind"] in WORKLOADS:
            labels = one["spec"]["template"]["metadata"]["labels"]
            chosen = [name for name, spec in policies.items()
                      if spec["podSelector"]["matchLabels"].items() <= labels.items()]
            require(chosen == [one["metadata"]["name"]], f"{one['metadata']['name']} is chosen by {chosen}")
    for name, spec in policies.items():
        require(set(spec["policyTypes"]) == {"Ingress", "Egress"}, f"{name} leaves a way open")
        for rule in spec["ingress"]:
            for source in rule["from"]:
                require(set(source) == {"namespaceSelector"}, f"{name} lets in {source}")
        require(ports(spec) == {9093, 53, 443}, f"{name} lets out to {ports(spec)}")
    unnamed = EVERYTHING | {"networkPolicy": {"metricsFrom": [{"a": "b"}]}}
    for one in chart.objects(unnamed):
        if one["kind"] == "NetworkPolicy":
            found = ports(one["spec"])
            require(found == {9093, 53, 443, 4318, 8443}, f"the values name addresses at other ports than {found}")
    closed = [one["spec"] for one in chart.objects(NEEDED) if one["kind"] == "NetworkPolicy"]
    require(all("ingress" not in spec for spec in closed), "without a gateway's namespace somebody is let in")
    tell(f"{len(policies)} network policies, one for each service, none of which lets another in")


def ports(spec):
    return {int(port["port"]) for rule in spec["egress"] for port in rule["ports"]}


def alerts(chart):
    """Each alert has a page of what to do."""
    groups = yaml.safe_load((chart.chart / "files/alerts.yaml").read_text())["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    pages = (chart.chart.parent / "docs/operations/alerts.md").read_text()
    for rule in rules:
        require(f"\n## {rule['alert']}\n" in pages, f"{rule['alert']} has no page")
        require(rule["annotations"]["runbook"].endswith("#" + rule["alert"].lower()), f"{rule['alert']} names another")
    tell(f"{len(rules)} alerts, each with a page of what to do")


def on_a_cluster(arguments, chart, sizes, config):
    def kubectl(*words, check=True, **more):
        command = [arguments.kubectl, "--kubeconfig", str(config), *map(str, words)]
        result = subprocess.run(command, capture_output=True, text=True, **more)
        if check and result.returncode != 0:
            fail(f"{' '.join(command)}:\n{result.stderr}")
        return result

    def helm(*words, values=(), check=True):
        return chart.run(*words, "--kubeconfig", config, "--namespace", NAMESPACE, values=values, check=check)

    kubectl("create", "namespace", NAMESPACE)
    kubectl("label", "namespace", NAMESPACE, "pod-security.kubernetes.io/enforce=restricted")
    kubectl("create", "serviceaccount", "default", "--namespace", NAMESPACE)
    for resource in arguments.resource:
        kubectl("apply", "--server-side", "--filename", resource)
    kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=30s")

    def accepted(one):
        command = ("apply", "--namespace", NAMESPACE, "--dry-run=server", "--validate=strict", "--filename", "-")
        return kubectl(*command, input=json.dumps(one), check=False)

    kinds = {}
    for name, values in sizes.items():
        objects = chart.objects(*values)
        for one in objects:
            answer = accepted(one)
            require(answer.returncode == 0, f"{one['kind']} {one['metadata']['name']}: {answer.stderr}")
            require("Warning" not in answer.stderr, answer.stderr)
            kinds[one["kind"]] = one
        tell(f"{name}: {len(objects)} objects accepted by the API server, strictly")
    for kind, one in kinds.items():
        broken = copy.deepcopy(one)
        broken["spec" if "spec" in broken else "metadata"]["unheardOf"] = True
        answer = accepted(broken)
        require(answer.returncode != 0 and "unheardOf" in answer.stderr, f"{kind} with a wrong field: {answer.stderr}")
    tell(f"{len(kinds)} kinds with a wrong field, each refused: {', '.join(sorted(kinds))}")

    helm("install", RELEASE, chart.chart, values=[EVERYTHING])
    workloads = [one for one in chart.objects(EVERYTHING) if one["kind"] in WORKLOADS]
    for one in workloads:
        pod = {"apiVersion": "v1", "kind": "Pod", **copy.deepcopy(one["spec"]["template"])}
        pod["metadata"]["name"] = one["metadata"]["name"]
        claims = [claim["metadata"]["name"] for claim in one["spec"].get("volumeClaimTemplates", [])]
        pod["spec"]["volumes"] += [{"name": claim, "emptyDir": {}} for claim in claims]
        answer = accepted(pod)
        require(answer.returncode == 0, f"a pod of {one['metadata']['name']}: {answer.stderr}")
        pod["spec"]["containers"][0]["securityContext"]["allowPrivilegeEscalation"] = True
        answer = accepted(pod)
        require("violates PodSecurity" in answer.stderr, f"a pod that is not restricted: {answer.stderr}")
    tell(f"pods of {len(workloads)} services accepted where pods are restricted, and refused once they are not")

    def state():
        kinds = "statefulset,deployment,configmap,networkpolicy,poddisruptionbudget,httproute,kafkauser"
        listed = json.loads(kubectl("get", kinds, "--namespace", NAMESPACE, "--output", "json").stdout)
        return {(one["kind"], one["metadata"]["name"]): one.get("spec", one.get("data")) for one in listed["items"]}

    before = state()
    changed = copy.deepcopy(EVERYTHING)
    changed["log"] = {"filter": "info,routing=debug"}
    changed["services"]["routing"]["replicas"] = 6
    helm("upgrade", RELEASE, chart.chart, values=[changed])
    after = state()
    differ = {key for key in before if before[key] != after[key]}
    require(("StatefulSet", "causeway-routing") in differ and after.keys() == before.keys(), f"changed: {differ}")
    require(after[("StatefulSet", "causeway-routing")]["replicas"] == 6, "the upgrade changed nothing")
    tell(f"upgraded: {len(differ)} objects changed")
    refused = helm("upgrade", RELEASE, chart.chart, values=[EVERYTHING, {"kafka": {"partitions": 0}}], check=False)
    require(refused.returncode != 0 and state() == after, "an upgrade with a wrong value changed something")
    tell("an upgrade with a wrong value is refused, and changes nothing")
    helm("rollback", RELEASE, "1")
    require(state() == before, "what was rolled back is not as it was")
    tell("rolled back: as it was")
    helm("uninstall", RELEASE)
    left = {key for key in state() if key[1].startswith("causeway")}
    require(not left, f"left behind: {left}")
    tell("uninstalled: nothing is left")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, what in {
        "chart": "the chart's directory",
        "helm": "Helm",
        "kubectl": "Kubernetes' client",
        "apiserver": "Kubernetes' API server",
    }.items():
        parser.add_argument(f"--{name}", required=True, help=what)
    parser.add_argument("--etcd", default="etcd", help="what the API server stores in")
    parser.add_argument("--resource", action="append", default=[], help="definitions of what the chart makes")
    return parser.parse_args()


def require(holds, otherwise):
    if not holds:
        fail(otherwise)


def fail(why):
    sys.exit(f"chart: {why}")


def tell(what):
    print(what, flush=True)


if __name__ == "__main__":
    main()
