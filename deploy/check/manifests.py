"""What the schemas of Kubernetes do not see in rendered manifests: the restricted pod security standard, rules between
fields, and names that lead nowhere."""

import sys

import yaml

# Made by the operator, as the values of the chart's ci/ directory say.
GIVEN = {"checkout-plan", "checkout-secrets", "muster-coordinator-tls", "muster-agents-tls", "reports", "registry"}


def pods(manifests):
    for manifest in manifests:
        spec = manifest.get("spec", {})
        if "template" in spec:
            yield manifest, spec["template"]


def problems(manifests):
    there = {manifest["metadata"]["name"] for manifest in manifests} | GIVEN
    labels = []
    for manifest, pod in pods(manifests):
        name, spec = f"{manifest['kind']} {manifest['metadata']['name']}", pod["spec"]
        labels.append(pod["metadata"]["labels"])
        security = spec.get("securityContext", {})
        if not security.get("runAsNonRoot") or security.get("runAsUser") in (None, 0):
            yield f"{name}: runs as root"
        if security.get("seccompProfile", {}).get("type") != "RuntimeDefault":
            yield f"{name}: no seccomp profile"
        if spec.get("automountServiceAccountToken") is not False:
            yield f"{name}: gets credentials of the cluster"
        volumes = {volume["name"] for volume in spec.get("volumes", [])}
        for volume in spec.get("volumes", []):
            for source, key in [("secret", "secretName"), ("configMap", "name"), ("persistentVolumeClaim", "claimName")]:
                if source in volume and volume[source][key] not in there:
                    yield f"{name}: there is no {source} {volume[source][key]}"
        for container in spec["containers"]:
            security = container.get("securityContext", {})
            if (
                security.get("allowPrivilegeEscalation") is not False
                or security.get("capabilities", {}).get("drop") != ["ALL"]
                or not security.get("readOnlyRootFilesystem")
            ):
                yield f"{name}: container {container['name']} may do more than it needs"
            if "requests" not in container.get("resources", {}):
                yield f"{name}: container {container['name']} asks for no resources"
            for mount in container.get("volumeMounts", []):
                if mount["name"] not in volumes:
                    yield f"{name}: there is no volume {mount['name']}"
        if manifest["kind"] == "Job":
            # The API server refuses these with any other policy.
            if {"podFailurePolicy", "backoffLimitPerIndex"} & manifest["spec"].keys() and spec["restartPolicy"] != "Never":
                yield f"{name}: podFailurePolicy and backoffLimitPerIndex need restartPolicy Never"
        else:
            wanted = manifest["spec"]["selector"]["matchLabels"]
            if not wanted.items() <= pod["metadata"]["labels"].items():
                yield f"{name}: its selector does not choose its pods"
    for manifest in manifests:
        spec = manifest.get("spec", {})
        wanted = {
            "Service": spec.get("selector"),
            "NetworkPolicy": spec.get("podSelector", {}).get("matchLabels"),
            "PodDisruptionBudget": (spec.get("selector") or {}).get("matchLabels"),
        }.get(manifest["kind"])
        if wanted and not any(wanted.items() <= has.items() for has in labels):
            yield f"{manifest['kind']} {manifest['metadata']['name']} chooses no pod"
        if manifest["kind"] == "HorizontalPodAutoscaler" and spec["scaleTargetRef"]["name"] not in there:
            yield f"HorizontalPodAutoscaler {manifest['metadata']['name']} scales nothing"


found = [
    f"{path}: {problem}"
    for path in sys.argv[1:]
    for problem in problems([manifest for manifest in yaml.safe_load_all(open(path)) if manifest])
]
print("\n".join(found))
sys.exit(bool(found))
