{{/* The settings of a service: dict "root" "service". */}}
{{- define "causeway.configuration" -}}
{{- $values := .root.Values -}}
[kafka]
brokers = {{ required "kafka.brokers is needed: the bootstrap servers" $values.kafka.brokers | toJson }}
prefix = {{ $values.kafka.prefix | toJson }}
partitions = {{ $values.kafka.partitions }}
replication = {{ $values.kafka.replication }}
{{- if ne $values.kafka.authentication "none" }}
[kafka.client]
{{- if eq $values.kafka.authentication "tls" }}
"security.protocol" = "SSL"
"ssl.certificate.location" = "/etc/causeway/kafka/user.crt"
"ssl.key.location" = "/etc/causeway/kafka/user.key"
{{- else }}
"security.protocol" = "SASL_SSL"
"sasl.mechanism" = "SCRAM-SHA-512"
"sasl.username" = {{ $values.kafka.user | replace "{service}" .service | toJson }}
{{- end }}
{{- if $values.kafka.caSecret }}
"ssl.ca.location" = "/etc/causeway/kafka-ca/ca.crt"
{{- end }}
{{- end }}
[http]
listen = "[::]:8080"
[store]
path = "/var/lib/causeway/store"
[seal]
vault_key_id = {{ $values.seal.vaultKeyId | toJson }}
[erasure]
within_seconds = {{ $values.erasure.withinSeconds }}
[log]
filter = {{ $values.log.filter | toJson }}
{{- if ne .service "dashboard" }}
[receipts]
name = {{ printf "%s/receipts" (required "audit.origin is needed: the log's name" $values.audit.origin) | toJson }}
{{- end }}
{{- with $values.registry.address }}
[registry]
address = {{ . | toJson }}
{{- end }}
{{- with $values.telemetry.otlp }}
[telemetry]
otlp = {{ . | toJson }}
{{- end }}
{{- if eq .service "audit" }}
[audit]
origin = {{ $values.audit.origin | toJson }}
head_file = {{ printf "/var/lib/causeway/head/%s" $values.audit.headFile | toJson }}
{{- range $number, $before := $values.audit.succeeds }}
[[audit.succeeds]]
key = {{ $before.key | toJson }}
head_file = "/etc/causeway/before/{{ $number }}.head"
{{- end }}
{{- range $values.audit.witnesses }}
[[audit.witness]]
address = {{ .address | toJson }}
key = {{ .key | toJson }}
{{- end }}
{{- end }}
{{- if and (eq .service "dashboard") (include "causeway.pages" .root) }}
[dashboard]
address = {{ $values.dashboard.address | toJson }}
provider = {{ required "dashboard.provider is needed where dashboard.address is set" $values.dashboard.provider | toJson }}
{{- with $values.dashboard.services }}
services = {{ . | toJson }}
{{- end }}
client_id = {{ $values.dashboard.clientId | toJson }}
scopes = {{ $values.dashboard.scopes | toJson }}
{{- end }}
{{- if and (eq .service "directory") $values.genesisConfigMap }}
[directory]
genesis_file = "/etc/causeway/genesis/directory.json"
{{- end }}
{{- range $values.identity.issuers }}
[[identity.issuer]]
issuer = {{ .issuer | toJson }}
audience = {{ .audience | toJson }}
keys_address = {{ .keysAddress | toJson }}
{{- end }}
{{- end -}}
