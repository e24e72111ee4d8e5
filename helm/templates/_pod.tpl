{{/* A service's pod: dict "root" "service" "of". */}}
{{- define "causeway.pod" -}}
{{- $root := .root -}}
{{- $service := .service -}}
{{- $name := printf "%s-%s" (include "causeway.name" $root) $service -}}
{{- $labels := include "causeway.labels" . -}}
{{- $secrets := include "causeway.secrets" . | fromJson -}}
metadata:
  labels: {{- $labels | nindent 4 }}
  annotations:
    # Settings that changed are read by a restart, one instance after another.
    causeway/configuration: {{ include "causeway.configuration" . | sha256sum }}
spec:
  serviceAccountName: {{ $name }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  # Requests end within 10 s of the stop sign, the last batch and its store soon after.
  terminationGracePeriodSeconds: 45
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: { type: RuntimeDefault }
  {{- with $root.Values.image.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  {{- with .of.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .of.tolerations }}
  tolerations: {{- toYaml . | nindent 4 }}
  {{- end }}
  topologySpreadConstraints:
    - maxSkew: 1
      topologyKey: {{ .of.spread.key }}
      whenUnsatisfiable: {{ .of.spread.whenUnsatisfiable }}
      labelSelector:
        matchLabels: {{- $labels | nindent 10 }}
  containers:
    - name: causeway
      image: {{ include "causeway.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: [serve, {{ $service }}, --config, /etc/causeway/causeway.toml]
      env:
        - name: CAUSEWAY_INSTANCE
          valueFrom: { fieldRef: { fieldPath: metadata.name } }
        {{- if eq $root.Values.kafka.authentication "scram-sha-512" }}
        - name: CAUSEWAY_KAFKA_PASSWORD_FILE
          value: /etc/causeway/kafka/password
        {{- end }}
        {{- range $secret, $variable := $secrets }}
        - name: {{ $variable }}
          value: /etc/causeway/secrets/{{ $secret }}
        {{- end }}
        {{- range $variable, $setting := .of.environment }}
        - name: {{ $variable }}
          value: {{ $setting | quote }}
        {{- end }}
      ports:
        - name: http
          containerPort: 8080
      # A new store reads its whole topic: readiness says when that is done, and how long it takes is no reason to begin
      # again.
      startupProbe:
        httpGet: { path: /health/live, port: http }
        periodSeconds: 2
        failureThreshold: 60
      livenessProbe:
        httpGet: { path: /health/live, port: http }
        periodSeconds: 10
        timeoutSeconds: 5
        failureThreshold: 6
      readinessProbe:
        httpGet: { path: /health/ready, port: http }
        periodSeconds: 5
      resources: {{- toYaml .of.resources | nindent 8 }}
      securityContext:
        allowPrivilegeEscalation: false
        readOnlyRootFilesystem: true
        capabilities: { drop: [ALL] }
      volumeMounts:
        - { name: configuration, mountPath: /etc/causeway/causeway.toml, subPath: causeway.toml, readOnly: true }
        - { name: secrets, mountPath: /etc/causeway/secrets, readOnly: true }
        - { name: store, mountPath: /var/lib/causeway/store }
        {{- if ne $root.Values.kafka.authentication "none" }}
        - { name: kafka, mountPath: /etc/causeway/kafka, readOnly: true }
        {{- end }}
        {{- if $root.Values.kafka.caSecret }}
        - { name: kafka-ca, mountPath: /etc/causeway/kafka-ca, readOnly: true }
        {{- end }}
        {{- if eq $service "audit" }}
        - { name: head, mountPath: /var/lib/causeway/head }
        {{- if $root.Values.audit.succeeds }}
        - { name: configuration, mountPath: /etc/causeway/before, readOnly: true }
        {{- end }}
        {{- end }}
        {{- if and (eq $service "directory") $root.Values.genesisConfigMap }}
        - { name: genesis, mountPath: /etc/causeway/genesis, readOnly: true }
        {{- end }}
  volumes:
    - name: configuration
      configMap: { name: {{ $name }} }
    - name: secrets
      projected:
        defaultMode: 0440
        sources:
          {{- range $secret, $_ := $secrets }}
          {{- $at := index $root.Values.secrets $secret }}
          - secret:
              name: {{ $at.name }}
              items:
                - { key: {{ $at.key }}, path: {{ $secret }} }
          {{- end }}
    {{- if ne $root.Values.kafka.authentication "none" }}
    - name: kafka
      secret: { secretName: {{ $root.Values.kafka.user | replace "{service}" $service }}, defaultMode: 0440 }
    {{- end }}
    {{- if $root.Values.kafka.caSecret }}
    - name: kafka-ca
      secret: { secretName: {{ $root.Values.kafka.caSecret }}, defaultMode: 0440 }
    {{- end }}
    {{- if and (eq $service "directory") $root.Values.genesisConfigMap }}
    - name: genesis
      configMap: { name: {{ $root.Values.genesisConfigMap }} }
    {{- end }}
    {{- if eq $service "dashboard" }}
    # It keeps nothing.
    - name: store
      emptyDir: {}
    {{- end }}
{{- end -}}

{{/* A claim of a service's own: dict "name" "size" "storageClass". */}}
{{- define "causeway.claim" -}}
metadata:
  name: {{ .name }}
spec:
  accessModes: [ReadWriteOnce]
  {{- with .storageClass }}
  storageClassName: {{ . }}
  {{- end }}
  resources: { requests: { storage: {{ .size }} } }
{{- end -}}
