{{- define "bongsu.name" -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that select the pods of a service: dict "root" $ "part" "router" */}}
{{- define "bongsu.selector" -}}
app.kubernetes.io/name: {{ default .root.Chart.Name .root.Values.nameOverride }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end -}}

{{- define "bongsu.labels" -}}
{{ include "bongsu.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/part-of: bongsu
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "bongsu.image" -}}
{{- $image := .Values.image -}}
{{- $repository := $image.repository -}}
{{- with .Values.global.imageRegistry -}}
{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}
{{- end -}}
{{- if $image.digest -}}
{{- printf "%s@%s" $repository $image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (default .Chart.AppVersion $image.tag) -}}
{{- end -}}
{{- end -}}

{{/* Whether connections to Kafka have TLS, and whether they have a login. */}}
{{- define "bongsu.kafkaTls" -}}
{{- if and (not .Values.demo.enabled) (has .Values.kafka.security.protocol (list "ssl" "sasl_ssl")) }}true{{ end -}}
{{- end -}}
{{- define "bongsu.kafkaLogin" -}}
{{- if and (not .Values.demo.enabled) (hasPrefix "sasl_" .Values.kafka.security.protocol) }}true{{ end -}}
{{- end -}}

{{/* How Kafka is reached. The name of each service's user is in its environment. */}}
{{- define "bongsu.kafkaSecurity" -}}
{{- $security := .Values.kafka.security -}}
{{- if ne $security.protocol "plaintext" }}
protocol: {{ $security.protocol }}
{{- end }}
{{- if include "bongsu.kafkaLogin" . }}
mechanism: {{ $security.mechanism }}
password_file: /etc/bongsu/kafka/password
{{- end }}
{{- if include "bongsu.kafkaTls" . }}
{{- if $security.ca.existingSecret }}
ca_file: /etc/bongsu/kafka-ca/ca.crt
{{- end }}
{{- if $security.client.existingSecret }}
certificate_file: /etc/bongsu/kafka-client/tls.crt
key_file: /etc/bongsu/kafka-client/tls.key
{{- end }}
{{- end }}
{{- end -}}

{{/* The name of a part's user of Kafka, and of its password: dict "root" $ "part" "router" */}}
{{- define "bongsu.kafkaUser" -}}
{{- if include "bongsu.kafkaLogin" .root }}
- name: BONGSU_KAFKA__SECURITY__USERNAME
  value: {{ index .root.Values.kafka.security.users (ternary "operator" .part (eq .part "apply")) | quote }}
{{- end }}
{{- end -}}
{{- define "bongsu.kafkaVolumes" -}}
{{- $security := .root.Values.kafka.security -}}
{{- if include "bongsu.kafkaLogin" .root }}
- name: kafka
  secret:
    secretName: {{ required "kafka.security.existingSecret: name a secret with the passwords of the users" $security.existingSecret }}
    items: [{key: {{ ternary "operator" .part (eq .part "apply") }}, path: password}]
{{- end }}
{{- if include "bongsu.kafkaTls" .root }}
{{- with $security.ca }}
{{- if .existingSecret }}
- name: kafka-ca
  secret:
    secretName: {{ .existingSecret }}
    items: [{key: {{ .key }}, path: ca.crt}]
{{- end }}
{{- end }}
{{- with $security.client }}
{{- if .existingSecret }}
- name: kafka-client
  secret:
    secretName: {{ .existingSecret }}
    items:
      - {key: {{ .certificateKey }}, path: tls.crt}
      - {key: {{ .keyKey }}, path: tls.key}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
{{- define "bongsu.kafkaMounts" -}}
{{- $security := .root.Values.kafka.security -}}
{{- if include "bongsu.kafkaLogin" .root }}
- {name: kafka, mountPath: /etc/bongsu/kafka, readOnly: true}
{{- end }}
{{- if include "bongsu.kafkaTls" .root }}
{{- if $security.ca.existingSecret }}
- {name: kafka-ca, mountPath: /etc/bongsu/kafka-ca, readOnly: true}
{{- end }}
{{- if $security.client.existingSecret }}
- {name: kafka-client, mountPath: /etc/bongsu/kafka-client, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* The configuration file of all services. */}}
{{- define "bongsu.config" -}}
{{- if and (not .Values.demo.enabled) (not .Values.kafka.brokers) }}
{{- fail "kafka.brokers: name the brokers as host:port, or set demo.enabled to try everything in one pod" }}
{{- end }}
{{- $config := dict -}}
{{- $_ := set $config "log" (dict "format" "json") -}}
{{- if not .Values.demo.enabled -}}
{{- $kafka := dict "brokers" .Values.kafka.brokers "compression" .Values.kafka.compression -}}
{{- with include "bongsu.kafkaSecurity" . | fromYaml -}}
{{- $_ := set $kafka "security" . -}}
{{- end -}}
{{- $_ := set $config "kafka" $kafka -}}
{{- $_ := set $config "consumer" (dict "listen" "0.0.0.0:8187") -}}
{{- $_ := set $config "evaluator" (dict "listen" "0.0.0.0:8188") -}}
{{- end -}}
{{- $_ := set $config "router" (dict "listen" "0.0.0.0:8186") -}}
{{- $notifier := dict "listen" "0.0.0.0:8189" "api_token_file" "/etc/bongsu/auth/token" -}}
{{- with .Values.notify.publicUrl -}}
{{- $_ := set $notifier "public_url" . -}}
{{- end -}}
{{- if not .Values.demo.enabled -}}
{{- $_ := set $notifier "database" (dict "postgres_url_file" "/etc/bongsu/database/url") -}}
{{- end -}}
{{- if .Values.notify.slack.existingSecret -}}
{{- $_ := set $notifier "slack" (dict "bot_token_file" "/etc/bongsu/slack/bot-token" "signing_secret_file" "/etc/bongsu/slack/signing-secret") -}}
{{- end -}}
{{- with .Values.notify.sens -}}
{{- if .existingSecret -}}
{{- $_ := set $notifier "sens" (dict "service_id" .serviceId "from" .from "access_key_file" "/etc/bongsu/sens/access-key" "secret_key_file" "/etc/bongsu/sens/secret-key") -}}
{{- end -}}
{{- end -}}
{{- if .Values.notify.heartbeat.existingSecret -}}
{{- $_ := set $notifier "heartbeat" (dict "url_file" "/etc/bongsu/heartbeat/url") -}}
{{- end -}}
{{- if .Values.notify.breakGlass.existingSecret -}}
{{- $_ := set $notifier "break_glass" (dict "contacts_file" "/etc/bongsu/break-glass/contacts.yaml") -}}
{{- end -}}
{{- $_ := set $config "notifier" $notifier -}}
{{- range $part := list "router" "consumer" "evaluator" "notifier" -}}
{{- with include "bongsu.tls" (dict "root" $ "part" $part) | fromYaml -}}
{{- $_ := set $config $part (merge (dict "tls" .) (default dict (index $config $part))) -}}
{{- end -}}
{{- end -}}
{{- toYaml (mergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end -}}

{{/* What the catalogue is brought to: shards, their placement, and the declared documents. */}}
{{- define "bongsu.catalogue" -}}
{{- range .Values.storage.shards }}
{{- $shard := dict "shard" .name "url" .url -}}
{{- with .org }}{{ $_ := set $shard "org" . }}{{ end -}}
{{- with .zone }}{{ $_ := set $shard "zone" . }}{{ end -}}
{{- if .existingSecret }}{{ $_ := set $shard "token_file" (printf "/etc/bongsu/shards/%s/token" .name) }}{{ end }}
---
shard: {{ .name }}
{{ toYaml (omit $shard "shard") }}
{{- end }}
{{- if .Values.storage.shards }}
---
placement: default
shards_per_tenant: {{ .Values.storage.shardsPerTenant }}
replicas: {{ .Values.storage.replicas }}
epochs:
- from: beginning
  shards:
{{- range .Values.storage.shards }}
    {{ .name }}: 1
{{- end }}
{{- end }}
{{- range $document := .Values.tenants }}
---
{{- /* The first key of a document names its kind; in this order none is mistaken for a key of another. */ -}}
{{- range $kind := list "tenant" "override" "template" "contact" "escalation_policy" "schedule" "team" }}
{{- if hasKey $document $kind }}
{{ $kind }}: {{ index $document $kind }}
{{- with omit $document $kind }}
{{ toYaml . }}
{{- end }}
{{- break }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "bongsu.podSecurity" -}}
runAsNonRoot: true
runAsUser: 10001
runAsGroup: 10001
fsGroup: 10001
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "bongsu.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{/* The TLS of a part's listener in the configuration, where it has one: dict "root" $ "part" "router" */}}
{{- define "bongsu.tls" -}}
{{- with (index .root.Values .part).tls }}
{{- if .existingSecret }}
cert_file: /etc/bongsu/tls/{{ $.part }}/tls.crt
key_file: /etc/bongsu/tls/{{ $.part }}/tls.key
{{- if .clientCaKey }}
client_ca_file: /etc/bongsu/tls/{{ $.part }}/clients.crt
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
{{/* Those of the parts that run in a pod. */}}
{{- define "bongsu.tlsParts" -}}
{{- ternary "router consumer evaluator notifier" .part (eq .part "demo") -}}
{{- end -}}
{{- define "bongsu.tlsVolumes" -}}
{{- range $part := splitList " " (include "bongsu.tlsParts" .) }}
{{- with (index $.root.Values $part).tls }}
{{- if .existingSecret }}
- name: tls-{{ $part }}
  secret:
    secretName: {{ .existingSecret }}
    items:
      - {key: {{ .certificateKey }}, path: tls.crt}
      - {key: {{ .keyKey }}, path: tls.key}
      {{- with .clientCaKey }}
      - {key: {{ . }}, path: clients.crt}
      {{- end }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}
{{- define "bongsu.tlsMounts" -}}
{{- range $part := splitList " " (include "bongsu.tlsParts" .) }}
{{- if (index $.root.Values $part).tls.existingSecret }}
- {name: tls-{{ $part }}, mountPath: /etc/bongsu/tls/{{ $part }}, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* dict "root" $ "part" "router" */}}
{{- define "bongsu.probes" -}}
{{- $part := ternary "notifier" .part (eq .part "demo") -}}
{{- $scheme := ternary ", scheme: HTTPS" "" (ne (index .root.Values $part).tls.existingSecret "") -}}
startupProbe:
  httpGet: {path: /livez, port: http{{ $scheme }}}
  periodSeconds: 2
  failureThreshold: 60
livenessProbe:
  httpGet: {path: /livez, port: http{{ $scheme }}}
  periodSeconds: 10
  failureThreshold: 3
readinessProbe:
  httpGet: {path: /readyz, port: http{{ $scheme }}}
  periodSeconds: 5
  failureThreshold: 2
{{- end -}}

{{/* Volumes of a part: dict "root" $ "part" "router" */}}
{{- define "bongsu.volumes" -}}
{{- $values := .root.Values -}}
- name: config
  configMap:
    name: {{ include "bongsu.name" .root }}-config
- name: tmp
  emptyDir: {}
{{- include "bongsu.kafkaVolumes" . }}
{{- if eq .part "consumer" "router" "apply" }}
{{- range $values.storage.shards }}
{{- if .existingSecret }}
- name: shard-{{ .name }}
  secret:
    secretName: {{ .existingSecret }}
    items: [{key: {{ default "token" .tokenKey }}, path: token}]
{{- end }}
{{- end }}
{{- end }}
{{- if eq .part "notifier" "demo" }}
- name: auth
  secret:
    secretName: {{ required "auth.existingSecret: name a secret with the token of the API" $values.auth.existingSecret }}
    items: [{key: {{ $values.auth.tokenKey }}, path: token}]
{{- if eq .part "notifier" }}
- name: database
  secret:
    secretName: {{ required "database.existingSecret: name a secret with the URL of a PostgreSQL, or set demo.enabled" $values.database.existingSecret }}
    items: [{key: {{ $values.database.urlKey }}, path: url}]
{{- end }}
{{- with $values.notify.slack }}
{{- if .existingSecret }}
- name: slack
  secret:
    secretName: {{ .existingSecret }}
    items:
      - {key: {{ .botTokenKey }}, path: bot-token}
      - {key: {{ .signingSecretKey }}, path: signing-secret}
{{- end }}
{{- end }}
{{- with $values.notify.sens }}
{{- if .existingSecret }}
- name: sens
  secret:
    secretName: {{ .existingSecret }}
    items:
      - {key: {{ .accessKeyKey }}, path: access-key}
      - {key: {{ .secretKeyKey }}, path: secret-key}
{{- end }}
{{- end }}
{{- with $values.notify.heartbeat }}
{{- if .existingSecret }}
- name: heartbeat
  secret:
    secretName: {{ .existingSecret }}
    items: [{key: {{ .urlKey }}, path: url}]
{{- end }}
{{- end }}
{{- with $values.notify.breakGlass }}
{{- if .existingSecret }}
- name: break-glass
  secret:
    secretName: {{ .existingSecret }}
    items: [{key: {{ .contactsKey }}, path: contacts.yaml}]
{{- end }}
{{- end }}
{{- range $values.notify.secrets }}
- name: secret-{{ . }}
  secret: {secretName: {{ . }}}
{{- end }}
{{- end }}
{{- end -}}

{{- define "bongsu.mounts" -}}
{{- $values := .root.Values -}}
- {name: config, mountPath: /etc/bongsu/config, readOnly: true}
- {name: tmp, mountPath: /tmp}
{{- include "bongsu.kafkaMounts" . }}
{{- if eq .part "consumer" "router" "apply" }}
{{- range $values.storage.shards }}
{{- if .existingSecret }}
- {name: shard-{{ .name }}, mountPath: /etc/bongsu/shards/{{ .name }}, readOnly: true}
{{- end }}
{{- end }}
{{- end }}
{{- if eq .part "notifier" "demo" }}
- {name: auth, mountPath: /etc/bongsu/auth, readOnly: true}
{{- if eq .part "notifier" }}
- {name: database, mountPath: /etc/bongsu/database, readOnly: true}
{{- end }}
{{- if $values.notify.slack.existingSecret }}
- {name: slack, mountPath: /etc/bongsu/slack, readOnly: true}
{{- end }}
{{- if $values.notify.sens.existingSecret }}
- {name: sens, mountPath: /etc/bongsu/sens, readOnly: true}
{{- end }}
{{- if $values.notify.heartbeat.existingSecret }}
- {name: heartbeat, mountPath: /etc/bongsu/heartbeat, readOnly: true}
{{- end }}
{{- if $values.notify.breakGlass.existingSecret }}
- {name: break-glass, mountPath: /etc/bongsu/break-glass, readOnly: true}
{{- end }}
{{- range $values.notify.secrets }}
- {name: secret-{{ . }}, mountPath: /etc/bongsu/secrets/{{ . }}, readOnly: true}
{{- end }}
{{- end }}
{{- end -}}

{{/* The pod of a service: dict "root" $ "part" "router" "port" 8186 "args" (list "router") "env" "..." */}}
{{- define "bongsu.pod" -}}
{{- $root := .root -}}
{{- $part := .part -}}
{{- $values := index $root.Values (ternary "router" $part (eq $part "demo")) -}}
metadata:
  labels:
    {{- include "bongsu.labels" (dict "root" $root "part" $part) | nindent 4 }}
  annotations:
    checksum/config: {{ include "bongsu.config" $root | sha256sum }}
    {{- with $values.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  automountServiceAccountToken: false
  # Every service drains within 30 s; the rest is for the endpoints to be withdrawn.
  terminationGracePeriodSeconds: 40
  {{- with $root.Values.global.imagePullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . }}
    {{- end }}
  {{- end }}
  securityContext:
    {{- include "bongsu.podSecurity" $root | nindent 4 }}
  {{- with $root.Values.topologySpreadConstraints }}
  topologySpreadConstraints:
    {{- range . }}
    - {{- toYaml . | nindent 6 }}
      labelSelector:
        matchLabels:
          {{- include "bongsu.selector" (dict "root" $root "part" $part) | nindent 10 }}
    {{- end }}
  {{- end }}
  {{- with $values.nodeSelector }}
  nodeSelector:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with $values.tolerations }}
  tolerations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
  containers:
    - name: {{ $part }}
      image: {{ include "bongsu.image" $root }}
      imagePullPolicy: {{ $root.Values.image.pullPolicy }}
      args: {{ toJson .args }}
      env:
        - name: BONGSU_CONFIG
          value: /etc/bongsu/config/bongsu.yaml
        {{- with include "bongsu.kafkaUser" . }}
        {{- . | trim | nindent 8 }}
        {{- end }}
        {{- if eq $part "evaluator" }}
        - name: BONGSU_EVALUATOR__INSTANCE
          valueFrom:
            fieldRef: {fieldPath: metadata.name}
        {{- end }}
      ports:
        {{- range .ports }}
        - {name: {{ .name }}, containerPort: {{ .port }}}
        {{- end }}
      {{- include "bongsu.probes" . | nindent 6 }}
      resources:
        {{- toYaml $values.resources | nindent 8 }}
      securityContext:
        {{- include "bongsu.containerSecurity" $root | nindent 8 }}
      volumeMounts:
        {{- include "bongsu.mounts" . | nindent 8 }}
        {{- with include "bongsu.tlsMounts" . }}
        {{- . | trim | nindent 8 }}
        {{- end }}
        {{- with .moreMounts }}
        {{- . | nindent 8 }}
        {{- end }}
  volumes:
    {{- include "bongsu.volumes" . | nindent 4 }}
    {{- with include "bongsu.tlsVolumes" . }}
    {{- . | trim | nindent 4 }}
    {{- end }}
{{- end -}}
