"""
Manifests as a whole: does what is referred to exist, is everything there that must be, and may whoever has
to talk to somebody do so, and nobody else?
"""
import copy
import itertools
import re

import yaml

from schemas import schema_problems

ROLES = ("api", "manager", "worker")
# What make-secrets makes, and what somebody makes by hand.
SECRETS = {
    "taskflow": {"pg-url", "pg-direct-url", "redis-high-url", "redis-low-url", "jwt-secret"},
    "taskflow-postgres": {"postgres-password", "taskflow-password"},
    "taskflow-pgbouncer": {"userlist.txt"},
    "taskflow-redis": {"users.acl"},
    "taskflow-keda": {"username", "password"},
    "taskflow-keda-api": {"token"},
}
NEEDED = {
    ("Namespace", "taskflow"), ("ServiceAccount", "taskflow"), ("Deployment", "taskflow-pgbouncer"),
    ("Service", "taskflow-api"), ("Service", "taskflow-metrics"), ("Service", "taskflow-pgbouncer"),
    ("Service", "taskflow-postgres"), ("Service", "redis-high"), ("Service", "redis-low"),
    ("StatefulSet", "taskflow-postgres"), ("StatefulSet", "redis-high"), ("StatefulSet", "redis-low"),
    ("ScaledObject", "taskflow-worker"), ("TriggerAuthentication", "taskflow-redis"),
    ("PodDisruptionBudget", "taskflow-api"), ("PodDisruptionBudget", "taskflow-worker"),
    ("PodDisruptionBudget", "taskflow-pgbouncer"), ("NetworkPolicy", "default-deny"),
} | {("Deployment", f"taskflow-{role}") for role in ROLES}

# ---- who may talk to whom: exactly this ----
NAMES = ("taskflow", "pgbouncer", "postgres", "redis-high", "redis-low")
INSIDE = {r: {"app.kubernetes.io/name": "taskflow", "app.kubernetes.io/component": r} for r in ROLES}
INSIDE.update({n: {"app.kubernetes.io/name": n} for n in NAMES[1:]})
INSIDE["stranger"] = {"app.kubernetes.io/name": "stranger"}
# name: labels of the namespace, labels of the pod
OUTSIDE = {
    "dns": ({"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "kube-dns"}),
    "kube-system": ({"kubernetes.io/metadata.name": "kube-system"}, {"k8s-app": "other"}),
    "keda": ({"kubernetes.io/metadata.name": "keda"}, {"app": "keda-operator"}),
    "keda-other": ({"kubernetes.io/metadata.name": "keda"}, {"app": "other"}),
    "client": ({"kubernetes.io/metadata.name": "shop", "taskflow-client": "true"}, {"app": "web"}),
    "elsewhere": ({"kubernetes.io/metadata.name": "shop"}, {"app": "keda-operator"}),
    "ingress": ({"kubernetes.io/metadata.name": "ingress-nginx"}, {"app": "nginx"}),
    "monitoring": ({"kubernetes.io/metadata.name": "monitoring"}, {"app": "prometheus"}),
}
PORTS = [("TCP", p) for p in (22, 53, 80, 443, 5432, 6379, 6432, 8080, 9090)] + [("UDP", 53), ("UDP", 6379)]


def base_flows():
    """(from, to, protocol, port)"""
    flows = {(src, "dns", proto, 53) for src in INSIDE for proto in ("TCP", "UDP")}
    flows |= {(r, "pgbouncer", "TCP", 6432) for r in ROLES}
    flows |= {(r, "postgres", "TCP", 5432) for r in (*ROLES, "pgbouncer")}
    flows |= {(r, f"redis-{s}", "TCP", 6379) for r in (*ROLES, "keda") for s in ("high", "low")}
    flows.add(("client", "api", "TCP", 8080))
    return flows


def matches(selector, labels):
    return all(labels.get(k) == v for k, v in (selector or {}).get("matchLabels", {}).items())


def peer_allows(peer, who):
    if "ipBlock" in peer:
        return False
    if who in INSIDE:
        return "namespaceSelector" not in peer and matches(peer.get("podSelector"), INSIDE[who])
    namespace, labels = OUTSIDE[who]
    return ("namespaceSelector" in peer and matches(peer["namespaceSelector"], namespace) and
            matches(peer.get("podSelector"), labels))


def direction_allows(policies, kind, way, me, other, proto, port):
    mine = [p["spec"] for p in policies if kind in p["spec"]["policyTypes"]
            and matches(p["spec"]["podSelector"], INSIDE[me])]
    if not mine:
        return True
    return any(any(peer_allows(peer, other) for peer in rule[way]) and
               {"protocol": proto, "port": port} in rule["ports"]
               for spec in mine for rule in spec.get(kind.lower(), ()))


def flows_of(docs):
    policies = [d for d in docs if d["kind"] == "NetworkPolicy"]
    found = set()
    for src, dst in itertools.permutations([*INSIDE, *OUTSIDE], 2):
        if src in OUTSIDE and dst in OUTSIDE:
            continue
        for proto, port in PORTS:
            if ((src in OUTSIDE or direction_allows(policies, "Egress", "to", src, dst, proto, port)) and
                    (dst in OUTSIDE or direction_allows(policies, "Ingress", "from", dst, src, proto, port))):
                found.add((src, dst, proto, port))
    return found


def flow_problems(docs, wanted):
    found = flows_of(docs)
    return ([f"network policies allow {f}" for f in sorted(found - wanted)] +
            [f"network policies forbid {f}" for f in sorted(wanted - found)])


# ---- references ----
def by_kind(docs, *kinds):
    return [d for d in docs if d["kind"] in kinds]


def workloads(docs):
    return by_kind(docs, "Deployment", "StatefulSet")


def pod_spec(doc):
    return doc["spec"]["template"]["spec"]


def labels_of(doc):
    return doc["spec"]["template"]["metadata"]["labels"]


def title(doc):
    return f"{doc['kind']} {doc['metadata']['name']}"


def selected(docs, selector):
    return [w for w in workloads(docs) if matches({"matchLabels": selector}, labels_of(w))]


def container_problems(doc, container, ports):
    where = f"{title(doc)}, container {container['name']}"
    names = [p["name"] for p in ports]
    for way in ("startupProbe", "livenessProbe", "readinessProbe"):
        for how in ("httpGet", "tcpSocket"):
            port = container.get(way, {}).get(how, {}).get("port")
            if port is not None and port not in names:
                yield f"{where}: {way} asks the port {port}, which has no such name"
    tag = container["image"].rsplit(":", 1)[-1]
    if tag == "latest":
        yield f"{where}: the tag latest is a different image every day"
    for req, limit in ((container["resources"]["requests"], container["resources"]["limits"]),):
        if quantity(req["memory"]) > quantity(limit["memory"]):
            yield f"{where}: requests more memory than its limit"


def quantity(words):
    number, unit = re.match(r"^([0-9.]+)(.*)$", words).groups()
    return float(number) * {"": 1, "m": 0.001, "Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30}[unit]


def volume_problems(doc, maps):
    spec = pod_spec(doc)
    volumes = {v["name"]: v for v in spec["volumes"]}
    claims = {c["metadata"]["name"] for c in doc["spec"].get("volumeClaimTemplates", ())}
    used, writable = set(), set()
    for container in [*spec.get("initContainers", ()), *spec["containers"]]:
        places = set()
        for mount in container["volumeMounts"]:
            used.add(mount["name"])
            if mount["name"] not in volumes and mount["name"] not in claims:
                yield f"{title(doc)}: mounts {mount['name']}, which is no volume"
            if mount["mountPath"] in places:
                yield f"{title(doc)}: mounts two volumes at {mount['mountPath']}"
            places.add(mount["mountPath"])
            if not mount.get("readOnly"):
                writable.add(mount["name"])
        for word in container.get("args", []) + [e["value"] for e in container.get("env", ())]:
            for path in re.findall(r"/etc/[A-Za-z0-9_./-]+", word):
                if not is_mounted(path, container, volumes):
                    yield f"{title(doc)}: names {path}, and there is no such file in its volumes"
    for name in sorted(set(volumes) | claims):
        if name not in used:
            yield f"{title(doc)}: the volume {name} is not used"
    for name, v in volumes.items():
        if ("configMap" in v or "secret" in v) and name in writable:
            yield f"{title(doc)}: the volume {name} is mounted without readOnly"
        have = None
        if "configMap" in v:
            have = maps.get(v["configMap"]["name"])
            what = f"ConfigMap {v['configMap']['name']}"
        elif "secret" in v:
            have = SECRETS.get(v["secret"]["secretName"])
            what = f"Secret {v['secret']['secretName']}"
        if "emptyDir" in v:
            continue
        if have is None:
            yield f"{title(doc)}: there is no {what}"
            continue
        for item in (v.get("configMap") or v["secret"])["items"]:
            if item["key"] not in have:
                yield f"{title(doc)}: {what} has no key {item['key']}"


def is_mounted(path, container, volumes):
    for mount in container["volumeMounts"]:
        v = volumes.get(mount["name"], {})
        items = (v.get("configMap") or v.get("secret") or {}).get("items", ())
        if any(f"{mount['mountPath']}/{i['path']}" == path for i in items):
            return True
    return False


def workload_problems(docs):
    maps = {d["metadata"]["name"]: set(d["data"]) for d in by_kind(docs, "ConfigMap")}
    for doc in workloads(docs):
        spec = pod_spec(doc)
        if not matches(doc["spec"]["selector"], labels_of(doc)):
            yield f"{title(doc)}: its selector does not select its own pods"
        if len(selected(docs, doc["spec"]["selector"]["matchLabels"])) != 1:
            yield f"{title(doc)}: its selector selects pods of others"
        for rule in spec.get("topologySpreadConstraints", ()):
            if not matches(rule["labelSelector"], labels_of(doc)):
                yield f"{title(doc)}: spreads pods that are not its own"
        ports = [p for c in spec["containers"] for p in c["ports"]]
        if len({p["name"] for p in ports}) != len(ports):
            yield f"{title(doc)}: two ports of one name"
        for c in [*spec.get("initContainers", ()), *spec["containers"]]:
            yield from container_problems(doc, c, ports)
        yield from volume_problems(doc, maps)
        account = ("ServiceAccount", spec["serviceAccountName"])
        if account not in {(d["kind"], d["metadata"]["name"]) for d in docs}:
            yield f"{title(doc)}: there is no {' '.join(account)}"


def selector_problems(docs):
    for doc in by_kind(docs, "Service"):
        if doc["spec"].get("type") == "ExternalName":
            continue
        pods = selected(docs, doc["spec"]["selector"])
        if not doc["spec"]["selector"] or not pods:
            yield f"{title(doc)}: selects no pods"
        for pod, port in itertools.product(pods, doc["spec"]["ports"]):
            if port["targetPort"] not in [p["name"] for c in pod_spec(pod)["containers"] for p in c["ports"]]:
                yield f"{title(doc)}: {title(pod)} has no port {port['targetPort']}"
    for doc in by_kind(docs, "PodDisruptionBudget", "PodMonitor"):
        if not selected(docs, doc["spec"]["selector"]["matchLabels"]):
            yield f"{title(doc)}: selects no pods"
    for doc in by_kind(docs, "PodDisruptionBudget"):
        for pod in selected(docs, doc["spec"]["selector"]["matchLabels"]):
            if pod["spec"].get("replicas", 2) <= doc["spec"].get("minAvailable", 0):
                yield f"{title(doc)}: blocks every drain of a node"
    for doc in by_kind(docs, "PodMonitor"):
        for pod, end in itertools.product(selected(docs, doc["spec"]["selector"]["matchLabels"]),
                                          doc["spec"]["podMetricsEndpoints"]):
            if end["port"] not in [p["name"] for c in pod_spec(pod)["containers"] for p in c["ports"]]:
                yield f"{title(doc)}: {title(pod)} has no port {end['port']}"
    services = {d["metadata"]["name"]: d for d in by_kind(docs, "Service")}
    for doc in by_kind(docs, "StatefulSet"):
        if doc["spec"]["serviceName"] not in services:
            yield f"{title(doc)}: there is no Service {doc['spec']['serviceName']}"
    for doc in by_kind(docs, "Ingress"):
        for path in [p for r in doc["spec"]["rules"] for p in r["http"]["paths"]]:
            service = services.get(path["backend"]["service"]["name"])
            port = path["backend"]["service"]["port"]["name"]
            if service is None or port not in [p["name"] for p in service["spec"]["ports"]]:
                yield f"{title(doc)}: its backend is no port of a Service"
        if {h for t in doc["spec"]["tls"] for h in t["hosts"]} != {r["host"] for r in doc["spec"]["rules"]}:
            yield f"{title(doc)}: a host without TLS"


def scaler_problems(docs):
    services = {d["metadata"]["name"] for d in by_kind(docs, "Service")}
    auths = {d["metadata"]["name"]: d for d in by_kind(docs, "TriggerAuthentication")}
    scaled = []
    for doc in by_kind(docs, "ScaledObject", "HorizontalPodAutoscaler"):
        target = doc["spec"]["scaleTargetRef"]["name"]
        scaled.append(target)
        found = [w for w in by_kind(docs, "Deployment") if w["metadata"]["name"] == target]
        if not found:
            yield f"{title(doc)}: there is no Deployment {target}"
        elif "replicas" in found[0]["spec"]:
            yield f"{title(doc)}: {target} has a number of replicas, which each apply would set again"
        least, most = (("minReplicaCount", "maxReplicaCount") if doc["kind"] == "ScaledObject"
                       else ("minReplicas", "maxReplicas"))
        if doc["spec"][least] > doc["spec"][most]:
            yield f"{title(doc)}: {least} is more than {most}"
    if len(set(scaled)) != len(scaled):
        yield "two scalers of one Deployment"
    for w in by_kind(docs, "Deployment"):
        if "replicas" not in w["spec"] and w["metadata"]["name"] not in scaled:
            yield f"{title(w)}: nobody says how many replicas"
    for doc in by_kind(docs, "ScaledObject"):
        names = [t["name"] for t in doc["spec"]["triggers"]]
        if len(set(names)) != len(names):
            yield f"{title(doc)}: two triggers of one name"
        for word in re.findall(r"[a-z]+", doc["spec"]["advanced"].get("scalingModifiers", {}).get("formula", "")):
            if word not in names:
                yield f"{title(doc)}: its formula names {word}, which is no trigger"
        for t in doc["spec"]["triggers"]:
            if t["authenticationRef"]["name"] not in auths:
                yield f"{title(doc)}: there is no TriggerAuthentication {t['authenticationRef']['name']}"
            place = t["metadata"].get("address") or t["metadata"]["url"].split("//")[1]
            host = re.split("[:/]", place)[0].split(".")
            if host[0] not in services or host[1:] != ["taskflow", "svc"]:
                yield f"{title(doc)}: {t['name']} asks {'.'.join(host)}, which is no Service"
    for auth in auths.values():
        for ref in auth["spec"]["secretTargetRef"]:
            if ref["key"] not in SECRETS.get(ref["name"], ()):
                yield f"{title(auth)}: there is no key {ref['key']} in the Secret {ref['name']}"


# What a trigger measures, and whom a Service is for.
MEASURES = {"high": ("redis-high", "taskflow:queue:default", "10"),
            "low": ("redis-low", "taskflow:queue:default", "10"),
            "inflight": ("redis-high", "taskflow:inflight:default", "16")}
SERVES = {"taskflow-api": {"taskflow-api"}, "taskflow-pgbouncer": {"taskflow-pgbouncer"},
          "taskflow-metrics": {f"taskflow-{r}" for r in ROLES}, "taskflow-postgres": {"taskflow-postgres"},
          "redis-high": {"redis-high"}, "redis-low": {"redis-low"}}


def promise_problems(docs):
    """What deploy/kubernetes promises in so many words."""
    for doc in by_kind(docs, "Deployment"):
        name = doc["metadata"]["name"]
        role = name.rpartition("-")[2]
        if role not in ROLES:
            continue
        spec = pod_spec(doc)
        if [c["args"] for c in spec["containers"]] != [[f"--role={role}"]]:
            yield f"{title(doc)}: its arguments are not --role={role}"
        if [c["args"] for c in spec.get("initContainers", ())] != [["--migrate"]]:
            yield f"{title(doc)}: does not migrate first"
        if labels_of(doc).get("app.kubernetes.io/component") != role:
            yield f"{title(doc)}: its pods are not labelled as {role}"
        main = spec["containers"][0]
        if (main["livenessProbe"].get("httpGet"), main["readinessProbe"].get("httpGet")) != (
                {"path": "/livez", "port": "admin"}, {"path": "/readyz", "port": "admin"}):
            yield f"{title(doc)}: is not asked /livez and /readyz at its admin port"
    for doc in by_kind(docs, "Service"):
        if "selector" in doc["spec"]:
            pods = {w["metadata"]["name"] for w in selected(docs, doc["spec"]["selector"])}
            if pods != SERVES.get(doc["metadata"]["name"]):
                yield f"{title(doc)}: is for {', '.join(sorted(pods))}"
    for doc in by_kind(docs, "NetworkPolicy"):
        if doc["metadata"]["name"] == "default-deny" and doc["spec"] != {
                "podSelector": {}, "policyTypes": ["Ingress", "Egress"]}:
            yield f"{title(doc)}: does not deny both ways"
    for doc in by_kind(docs, "ScaledObject"):
        for t in doc["spec"]["triggers"]:
            want = MEASURES.get(t["name"])
            m = t["metadata"]
            if want and (m["address"].split(".")[0], m["listName"], m["listLength"]) != want:
                yield f"{title(doc)}: the trigger {t['name']} measures something else"


def config_problems(docs):
    """Every key of a ConfigMap is used by somebody."""
    used = {(v["configMap"]["name"], i["key"]) for w in workloads(docs) for v in pod_spec(w)["volumes"]
            if "configMap" in v for i in v["configMap"]["items"]}
    for doc in by_kind(docs, "ConfigMap"):
        for key in doc["data"]:
            if (doc["metadata"]["name"], key) not in used:
                yield f"{title(doc)}: nobody uses its {key}"


def role_specs(docs):
    """The specs of the three Deployments, without what may differ: role -> spec."""
    result = {}
    for role in ROLES:
        found = [d for d in by_kind(docs, "Deployment") if d["metadata"]["name"] == f"taskflow-{role}"]
        if len(found) == 1:
            spec = copy.deepcopy(found[0]["spec"])
            spec.pop("replicas", None)
            spec["selector"]["matchLabels"].pop("app.kubernetes.io/component", None)
            spec["template"]["metadata"]["labels"].pop("app.kubernetes.io/component", None)
            spec["template"]["spec"]["containers"][0].pop("args", None)
            result[role] = spec
    return result


def problems(docs, newer=False, wanted=None, lacking=()):
    """Everything that is wrong with them: a list of sentences. lacking: objects that a component removes,
    and with them what uses their settings."""
    found = [p for d in docs for p in schema_problems(d, newer)]
    if found:
        return found        # what follows relies on the forms
    ids = [(d["kind"], d["metadata"]["name"]) for d in docs]
    found += [f"{' '.join(i)} is there twice" for i in set(ids) if ids.count(i) > 1]
    found += [f"there is no {' '.join(i)}" for i in sorted(NEEDED - set(ids) - set(lacking))]
    for check in (workload_problems, selector_problems, scaler_problems, promise_problems):
        found += check(docs)
    if not lacking:
        found += config_problems(docs)
    specs = role_specs(docs)
    found += [f"the Deployments of {ROLES[0]} and {r} differ in more than their arguments"
              for r in ROLES[1:] if specs.get(r) != specs.get(ROLES[0])]
    found += flow_problems(docs, base_flows() if wanted is None else wanted)
    return found


class Strict(yaml.SafeLoader):
    """A key that stands twice in a mapping is an error."""


def _mapping(loader, node, deep=False):
    keys = [k.value for k, _ in node.value if isinstance(k, yaml.ScalarNode)]
    for key in keys:
        if keys.count(key) > 1:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key} stands twice", node.start_mark)
    return yaml.SafeLoader.construct_mapping(loader, node, deep)


Strict.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def load(text):
    return [d for d in yaml.load_all(text, Strict) if d is not None]
