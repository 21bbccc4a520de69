# Telegraf, with only the plugins that the tests and the benchmarks use.

TELEGRAF_TAGS=custom
for plugin in \
    inputs.{cpu,disk,diskio,exec,execd,file,http_listener_v2,influxdb_v2_listener,internal,kafka_consumer,mem,mock,net,processes,socket_listener,swap,system,tail} \
    outputs.{discard,file,http,influxdb,influxdb_v2,kafka,opentelemetry} \
    parsers.{influx,json,value} serializers.{influx,json}; do
    TELEGRAF_TAGS+=",$plugin"
done
unset plugin
TELEGRAF_RECIPE="telegraf $TELEGRAF $TELEGRAF_TAGS"

telegraf_installed() { complete "$CACHE/telegraf-$TELEGRAF" "$TELEGRAF_RECIPE"; }
telegraf_where() { echo "$CACHE/telegraf-$TELEGRAF"; }
telegraf_announce() { echo "$TELEGRAF: building, takes 1-2 minutes once"; }

telegraf_install() {
    local stage
    stage=$(staging telegraf)
    # A plain `go install` would look checksums up that the module's own go.sum already holds.
    go_build "github.com/influxdata/telegraf@v$TELEGRAF" "$stage/telegraf" -tags "$TELEGRAF_TAGS" \
        -ldflags "-s -w -X github.com/influxdata/telegraf/internal.Version=$TELEGRAF" ./cmd/telegraf
    "$stage/telegraf" version
    publish "$stage" "$CACHE/telegraf-$TELEGRAF" "$TELEGRAF_RECIPE"
}
