"""
The objects that our manifests use, strictly: what is not named here is refused, although Kubernetes may
know it. A new field is a line here, after a look into its reference. Those of KEDA are the fields that
its version 2.10 has; what came later is in NEWER and for components alone.
"""
import jsonschema


def obj(required="", **properties):
    return {"type": "object", "additionalProperties": False, "required": required.split(),
            "properties": properties}


def array(of, least=1):
    return {"type": "array", "items": of, "minItems": least}


def text(pattern=None, *words):
    if words:
        return {"type": "string", "enum": list(words)}
    return {"type": "string", "pattern": pattern} if pattern else {"type": "string", "minLength": 1}


def number(least=0, most=1 << 31):
    return {"type": "integer", "minimum": least, "maximum": most}


def one(*words):
    return {"enum": list(words)}


# Python takes True for an integer, and jsonschema does not: good.
YES = {"type": "boolean", "enum": [True]}
NO = {"type": "boolean", "enum": [False]}
NAME = text(r"^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$")
PORT_NAME = text(r"^[a-z][-a-z0-9]{0,14}$")
PORT = number(1, 65535)
PATH = text(r"^/[A-Za-z0-9_./-]*$")
QUANTITY = text(r"^[0-9]+(\.[0-9]+)?(m|Ki|Mi|Gi)?$")
PERCENT = text(r"^[0-9]{1,3}%$")
IMAGE = text(r"^([a-z0-9.-]+/)*[a-z0-9-]+:[A-Za-z0-9_.-]+$")
KEY = text(r"^[A-Za-z0-9._-]+$")

LABELS = obj(**{
    "app.kubernetes.io/name": one("taskflow", "postgres", "pgbouncer", "redis-high", "redis-low"),
    "app.kubernetes.io/component": one("api", "manager", "worker"),
    "app.kubernetes.io/part-of": one("taskflow"),
})
OUTSIDE = obj(**{"k8s-app": one("kube-dns"), "app": one("keda-operator"),
                 **LABELS["properties"]})
NAMESPACE_LABELS = obj(**{"kubernetes.io/metadata.name": NAME, "taskflow-client": one("true")})
SELECTOR = obj("matchLabels", matchLabels={**LABELS, "minProperties": 1})


def meta(**more):
    return obj("name namespace labels", name=NAME, namespace=one("taskflow"),
               labels={**LABELS, "required": ["app.kubernetes.io/part-of"]}, **more)


def whole(kind, version, required="", metadata=None, **more):
    metadata = metadata or meta()
    return obj("apiVersion kind metadata " + required, apiVersion=one(version), kind=one(kind),
               metadata=metadata, **more)


def probe(*ways):
    known = {
        "httpGet": obj("path port", path=PATH, port=PORT_NAME),
        "tcpSocket": obj("port", port=PORT_NAME),
        "exec": obj("command", command=array(text())),
    }
    return {**obj("periodSeconds timeoutSeconds failureThreshold", periodSeconds=number(1, 60),
                  timeoutSeconds=number(1, 60), failureThreshold=number(1, 300),
                  **{way: known[way] for way in ways}),
            "oneOf": [{"required": [way]} for way in ways]}


ANY_PROBE = probe("httpGet", "tcpSocket", "exec")
RESOURCES = obj("requests limits", requests=obj("cpu memory", cpu=QUANTITY, memory=QUANTITY),
                limits=obj("memory", memory=QUANTITY))
CONTAINER_SECURITY = obj("allowPrivilegeEscalation readOnlyRootFilesystem capabilities",
                         allowPrivilegeEscalation=NO, readOnlyRootFilesystem=YES,
                         capabilities=obj("drop", drop={"const": ["ALL"]}))
EVERY_CONTAINER = {
    "name": NAME, "image": IMAGE, "imagePullPolicy": one("IfNotPresent"),
    "command": array(text()), "args": array(text()),
    "env": array(obj("name value", name=text(r"^[A-Z][A-Z0-9_]*$"), value=text())),
    "resources": RESOURCES, "securityContext": CONTAINER_SECURITY,
    "volumeMounts": array(obj("name mountPath", name=NAME, mountPath=PATH, readOnly=YES)),
}
CONTAINER_NEEDS = "name image imagePullPolicy args resources securityContext volumeMounts"
INIT_CONTAINER = obj(CONTAINER_NEEDS, **EVERY_CONTAINER)
CONTAINER = obj(CONTAINER_NEEDS + " ports startupProbe livenessProbe readinessProbe", **EVERY_CONTAINER,
                ports=array(obj("name containerPort protocol", name=PORT_NAME, containerPort=PORT,
                                protocol=one("TCP"))),
                startupProbe=ANY_PROBE, livenessProbe=probe("httpGet", "tcpSocket"), readinessProbe=ANY_PROBE,
                lifecycle=obj("preStop", preStop=obj("exec", exec=obj("command", command=array(text())))))
ITEMS = array(obj("key path", key=KEY, path=KEY))
VOLUME = {**obj("name", name=NAME,
                configMap=obj("name items", name=NAME, items=ITEMS, defaultMode=number(0, 0o777)),
                secret=obj("secretName items defaultMode", secretName=NAME, items=ITEMS,
                           defaultMode=one(0o440)),
                emptyDir=obj("sizeLimit", medium=one("Memory"), sizeLimit=QUANTITY)),
          "oneOf": [{"required": [way]} for way in ("configMap", "secret", "emptyDir")]}
SPREAD = obj("maxSkew topologyKey whenUnsatisfiable labelSelector", maxSkew=number(1, 5),
             topologyKey=one("kubernetes.io/hostname"), whenUnsatisfiable=one("ScheduleAnyway"),
             labelSelector=SELECTOR, matchLabelKeys={"const": ["app.kubernetes.io/component"]})
POD = obj("serviceAccountName automountServiceAccountToken enableServiceLinks terminationGracePeriodSeconds "
          "securityContext containers volumes",
          serviceAccountName=one("taskflow"), automountServiceAccountToken=NO, enableServiceLinks=NO,
          terminationGracePeriodSeconds=number(30, 600),
          securityContext=obj("runAsNonRoot runAsUser runAsGroup fsGroup seccompProfile", runAsNonRoot=YES,
                              runAsUser=number(1), runAsGroup=number(1), fsGroup=number(1),
                              seccompProfile=obj("type", type=one("RuntimeDefault"))),
          topologySpreadConstraints=array(SPREAD), initContainers=array(INIT_CONTAINER),
          containers=array(CONTAINER), volumes=array(VOLUME))
TEMPLATE = obj("metadata spec", metadata=obj("labels", labels={**LABELS, "minProperties": 1}), spec=POD)
CLAIM = obj("apiVersion kind metadata spec", apiVersion=one("v1"), kind=one("PersistentVolumeClaim"),
            metadata=obj("name", name=NAME),
            spec=obj("accessModes resources", accessModes={"const": ["ReadWriteOnce"]},
                     resources=obj("requests", requests=obj("storage", storage=QUANTITY))))
SERVICE_PORTS = array(obj("name port targetPort protocol", name=PORT_NAME, port=PORT, targetPort=PORT_NAME,
                          protocol=one("TCP")))
PEER = {**obj(podSelector=obj("matchLabels", matchLabels={**OUTSIDE, "minProperties": 1}),
              namespaceSelector=obj("matchLabels", matchLabels={**NAMESPACE_LABELS, "minProperties": 1}),
              ipBlock=obj("cidr", cidr=text(r"^[0-9.]+/[0-9]{1,2}$"))), "minProperties": 1}
POLICY_PORTS = array(obj("protocol port", protocol=one("TCP", "UDP"), port=PORT))
TARGET = obj("apiVersion kind name", apiVersion=one("apps/v1"), kind=one("Deployment"), name=NAME)

# ---- KEDA, fields of 2.10 ----
STRING = {"type": "string", "minLength": 1}
REDIS_TRIGGER = obj("type name metadata authenticationRef", type=one("redis"), name=NAME,
                    metadata=obj("address listName listLength", address=text(r"^[a-z0-9.-]+:[0-9]+$"),
                                 listName=text(r"^taskflow:(queue|inflight):[A-Za-z0-9_.-]+$"),
                                 listLength=text(r"^[1-9][0-9]*$")),
                    authenticationRef=obj("name", name=NAME))
API_TRIGGER = obj("type name metadata authenticationRef", type=one("metrics-api"), name=NAME,
                  metadata=obj("url valueLocation targetValue authMode", url=text(r"^http://[a-z0-9./-]+$"),
                               valueLocation=one("wanted"), targetValue=text(r"^[1-9][0-9]*$"),
                               authMode=one("bearer")),
                  authenticationRef=obj("name", name=NAME))
POLICIES = array(obj("type value periodSeconds", type=one("Pods", "Percent"), value=number(1, 1000),
                     periodSeconds=number(1, 1800)))
RULES = obj("stabilizationWindowSeconds selectPolicy policies", stabilizationWindowSeconds=number(0, 3600),
            selectPolicy=one("Max", "Min"), policies=POLICIES)
ADVANCED = dict(restoreToOriginalReplicaCount={"type": "boolean"},
                horizontalPodAutoscalerConfig=obj("behavior", behavior=obj("scaleUp scaleDown", scaleUp=RULES,
                                                                           scaleDown=RULES)))
SCALED = dict(scaleTargetRef=TARGET, pollingInterval=number(1, 3600), cooldownPeriod=number(0, 3600),
              minReplicaCount=number(0, 1000), maxReplicaCount=number(1, 1000),
              triggers=array({"oneOf": [REDIS_TRIGGER, API_TRIGGER]}))
SCALED_NEEDS = ("scaleTargetRef pollingInterval cooldownPeriod minReplicaCount maxReplicaCount advanced "
                "triggers")


def scaled_object(newer):
    advanced, fields = dict(ADVANCED), dict(SCALED)
    if newer:
        advanced["scalingModifiers"] = obj("formula target metricType", formula=text(r"^[a-z0-9 ()*/+><.?:]+$"),
                                           target=text(r"^[1-9][0-9]*$"), metricType=one("AverageValue"))
        fields["fallback"] = obj("failureThreshold replicas behavior", failureThreshold=number(1, 100),
                                 replicas=number(0, 1000), behavior=one("currentReplicasIfHigher"))
    return whole("ScaledObject", "keda.sh/v1alpha1", "spec",
                 spec=obj(SCALED_NEEDS, advanced=obj("horizontalPodAutoscalerConfig", **advanced), **fields))


KINDS = {
    "Namespace": whole("Namespace", "v1", metadata=obj(
        "name labels", name=one("taskflow"),
        labels=obj("pod-security.kubernetes.io/enforce pod-security.kubernetes.io/warn "
                   "app.kubernetes.io/part-of",
                   **{"pod-security.kubernetes.io/enforce": one("restricted"),
                      "pod-security.kubernetes.io/warn": one("restricted"),
                      "app.kubernetes.io/part-of": one("taskflow")}))),
    "ServiceAccount": whole("ServiceAccount", "v1", "automountServiceAccountToken",
                            automountServiceAccountToken=NO),
    "ConfigMap": whole("ConfigMap", "v1", "data",
                       data={"type": "object", "minProperties": 1, "propertyNames": KEY,
                             "additionalProperties": STRING}),
    "Service": whole("Service", "v1", "spec", spec={"oneOf": [
        obj("type selector ports", type=one("ClusterIP"), selector=LABELS, ports=SERVICE_PORTS),
        obj("clusterIP selector ports", clusterIP=one("None"), selector=LABELS, ports=SERVICE_PORTS),
        obj("type externalName", type=one("ExternalName"), externalName=NAME)]}),
    "Deployment": whole("Deployment", "apps/v1", "spec", spec=obj(
        "revisionHistoryLimit selector strategy template", replicas=number(1, 100),
        revisionHistoryLimit=number(1, 10), selector=SELECTOR, template=TEMPLATE,
        strategy=obj("type rollingUpdate", type=one("RollingUpdate"),
                     rollingUpdate=obj("maxSurge maxUnavailable", maxSurge=PERCENT, maxUnavailable=one(0))))),
    "StatefulSet": whole("StatefulSet", "apps/v1", "spec", spec=obj(
        "serviceName replicas revisionHistoryLimit selector updateStrategy "
        "persistentVolumeClaimRetentionPolicy template volumeClaimTemplates",
        serviceName=NAME, replicas=one(1), revisionHistoryLimit=number(1, 10), selector=SELECTOR,
        updateStrategy=obj("type", type=one("RollingUpdate")), template=TEMPLATE,
        persistentVolumeClaimRetentionPolicy=obj("whenDeleted whenScaled", whenDeleted=one("Retain"),
                                                 whenScaled=one("Retain")),
        volumeClaimTemplates=array(CLAIM))),
    "PodDisruptionBudget": whole("PodDisruptionBudget", "policy/v1", "spec", spec={"oneOf": [
        obj("minAvailable selector", minAvailable=number(1, 10), selector=SELECTOR),
        obj("maxUnavailable selector", maxUnavailable=PERCENT, selector=SELECTOR)]}),
    "NetworkPolicy": whole("NetworkPolicy", "networking.k8s.io/v1", "spec", spec=obj(
        "podSelector policyTypes", podSelector=obj(matchLabels={**LABELS, "minProperties": 1}),
        policyTypes={**array(one("Ingress", "Egress")), "uniqueItems": True},
        ingress=array(obj("from ports", **{"from": array(PEER)}, ports=POLICY_PORTS)),
        egress=array(obj("to ports", to=array(PEER), ports=POLICY_PORTS)))),
    "TriggerAuthentication": whole("TriggerAuthentication", "keda.sh/v1alpha1", "spec", spec=obj(
        "secretTargetRef", secretTargetRef=array(obj("parameter name key",
                                                     parameter=one("username", "password", "token"),
                                                     name=NAME, key=KEY)))),
    "HorizontalPodAutoscaler": whole("HorizontalPodAutoscaler", "autoscaling/v2", "spec", spec=obj(
        "scaleTargetRef minReplicas maxReplicas metrics", scaleTargetRef=TARGET, minReplicas=number(1, 1000),
        maxReplicas=number(1, 1000),
        metrics=array(obj("type resource", type=one("Resource"), resource=obj(
            "name target", name=one("cpu"), target=obj("type averageUtilization", type=one("Utilization"),
                                                       averageUtilization=number(1, 10000))))))),
    "Ingress": whole("Ingress", "networking.k8s.io/v1", "spec", metadata=meta(annotations=obj(**{
        "nginx.ingress.kubernetes.io/proxy-read-timeout": text(r"^[0-9]+$"),
        "nginx.ingress.kubernetes.io/proxy-body-size": text(r"^[0-9]+m$")})), spec=obj(
            "ingressClassName tls rules", ingressClassName=NAME,
            tls=array(obj("hosts secretName", hosts=array(NAME), secretName=NAME)),
            rules=array(obj("host http", host=NAME, http=obj("paths", paths=array(obj(
                "path pathType backend", path=one("/"), pathType=one("Prefix"),
                backend=obj("service", service=obj("name port", name=NAME,
                                                   port=obj("name", name=PORT_NAME)))))))))),
    "PodMonitor": whole("PodMonitor", "monitoring.coreos.com/v1", "spec", spec=obj(
        "selector podMetricsEndpoints", selector=SELECTOR,
        podMetricsEndpoints=array(obj("port path interval scrapeTimeout", port=PORT_NAME, path=one("/metrics"),
                                      interval=text(r"^[0-9]+s$"), scrapeTimeout=text(r"^[0-9]+s$"))))),
    "PrometheusRule": whole("PrometheusRule", "monitoring.coreos.com/v1", "spec", spec=obj(
        "groups", groups=array(obj("name rules", name=NAME, rules=array(obj(
            "alert expr labels annotations", alert=text(r"^TaskFlow[A-Za-z]+$"), expr=text(),
            **{"for": text(r"^[0-9]+m$")}, labels=obj("severity", severity=one("critical", "warning")),
            annotations=obj("summary", summary=text()))))))),
}
CHECKED = {kind: jsonschema.Draft7Validator(schema) for kind, schema in KINDS.items()}
CHECKED["ScaledObject"] = jsonschema.Draft7Validator(scaled_object(False))
NEWER = jsonschema.Draft7Validator(scaled_object(True))


def schema_problems(doc, newer=False):
    """What is wrong with an object by itself: a list of sentences."""
    kind = doc.get("kind") if isinstance(doc, dict) else None
    if not isinstance(kind, str) or kind not in CHECKED:
        return [f"an object of the kind {kind!r}, which is none of {', '.join(sorted(CHECKED))}"]
    validator = NEWER if newer and kind == "ScaledObject" else CHECKED[kind]
    where = f"{kind} {doc.get('metadata', {}).get('name') if isinstance(doc.get('metadata'), dict) else '?'}"
    return [f"{where}: {'/'.join(map(str, e.absolute_path))}: {e.message[:200]}"
            for e in validator.iter_errors(doc)]
