{{- define "causeway.name" -}}
{{- printf "%s-causeway" .Release.Name | replace "causeway-causeway" "causeway" | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{/* The labels of a service's objects, by which its pods are found too: dict "root" "service". */}}
{{- define "causeway.labels" -}}
app.kubernetes.io/name: causeway
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .service }}
{{- end -}}

{{- define "causeway.image" -}}
{{- $image := .Values.image -}}
{{- if $image.digest -}}
{{ $image.repository }}@{{ $image.digest }}
{{- else -}}
{{ $image.repository }}:{{ $image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{/* What holds for a service: its own values over the defaults, as JSON: dict "root" "own". */}}
{{- define "causeway.of" -}}
{{- mergeOverwrite (deepCopy .root.Values.defaults) (deepCopy (.own | default dict)) | toJson -}}
{{- end -}}

{{/* Whether people see pages. */}}
{{- define "causeway.pages" -}}
{{- if .Values.dashboard.address }}yes{{ end -}}
{{- end -}}

{{/* The secrets that a service needs, as JSON: the variable of each setting, by the name in `secrets`. */}}
{{- define "causeway.secrets" -}}
{{- $variables := dict
  "cursor" "CAUSEWAY_SECRETS_CURSOR_FILE"
  "identity" "CAUSEWAY_SECRETS_IDENTITY_FILE"
  "network" "CAUSEWAY_SECRETS_NETWORK_FILE"
  "networkPrevious" "CAUSEWAY_SECRETS_NETWORK_PREVIOUS_FILE"
  "vaultPublic" "CAUSEWAY_SEAL_VAULT_PUBLIC_KEY_FILE"
  "vaultPrivate" "CAUSEWAY_SEAL_VAULT_PRIVATE_KEY_FILE"
  "receipts" "CAUSEWAY_RECEIPTS_KEY_FILE"
  "auditLog" "CAUSEWAY_AUDIT_KEY_FILE"
  "session" "CAUSEWAY_DASHBOARD_SESSION_KEY_FILE"
  "clientSecret" "CAUSEWAY_DASHBOARD_CLIENT_SECRET_FILE" -}}
{{- $needed := dict
  "directory" (list "receipts")
  "intake" (list "receipts" "identity" "network" "networkPrevious" "vaultPublic")
  "routing" (list "receipts" "identity" "vaultPublic")
  "mla" (list "receipts" "identity" "vaultPublic")
  "victim-id" (list "receipts" "identity" "vaultPublic")
  "digest-sets" (list "receipts")
  "delivery" (list "receipts" "cursor" "vaultPrivate")
  "audit" (list "receipts" "auditLog")
  "dashboard" (ternary (list "session" "clientSecret") (list) (eq (include "causeway.pages" .root) "yes")) -}}
{{- $chosen := dict -}}
{{- range index $needed .service }}
{{- if (index $.root.Values.secrets .).name }}{{ $_ := set $chosen . (index $variables .) }}{{ end -}}
{{- end -}}
{{- toJson $chosen -}}
{{- end -}}

{{/* The ports of the brokers, as JSON. */}}
{{- define "causeway.brokerPorts" -}}
{{- $ports := list -}}
{{- range splitList "," .Values.kafka.brokers }}{{ $ports = append $ports (splitList ":" . | last | int) }}{{ end -}}
{{- dict "ports" (uniq $ports) | toJson -}}
{{- end -}}

{{/* The ports of other addresses that services ask, as JSON. */}}
{{- define "causeway.otherPorts" -}}
{{- $ports := list 443 -}}
{{- $addresses := list .Values.registry.address .Values.telemetry.otlp .Values.dashboard.provider .Values.dashboard.services -}}
{{- range .Values.identity.issuers }}{{ $addresses = append $addresses .keysAddress }}{{ end -}}
{{- range .Values.audit.witnesses }}{{ $addresses = append $addresses .address }}{{ end -}}
{{- range compact $addresses -}}
{{- $url := urlParse . -}}
{{- if contains ":" $url.host -}}
{{- $ports = append $ports (splitList ":" $url.host | last | int) -}}
{{- else if eq $url.scheme "http" -}}
{{- $ports = append $ports 80 -}}
{{- end -}}
{{- end -}}
{{- dict "ports" (uniq $ports) | toJson -}}
{{- end -}}
