# Apache Kafka: the broker's jars from the Maven repository, started with plain `java -cp`.

KAFKA_RECIPE="kafka_2.13 $KAFKA log4j-slf4j-impl"

kafka_installed() { complete "$CACHE/kafka-$KAFKA" "$KAFKA_RECIPE" && [[ -x $CACHE/kafka-$KAFKA/java ]]; }
kafka_where() { echo "$CACHE/kafka-$KAFKA"; }
kafka_announce() { echo "$KAFKA: fetching 43 MB of jars"; }

# The first Java that is new enough: the one named by JAVA_HOME, on the PATH, or installed beside an older default.
find_java() {
    local java version
    for java in "${JAVA_HOME:-/nonexistent}/bin/java" "$(command -v java || true)" /usr/lib/jvm/*/bin/java; do
        [[ -x $java ]] || continue
        version=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9.]*\).*/\1/p')
        if version_at_least "${version:-0}" "$JAVA_MIN"; then
            echo "$java"
            return
        fi
    done
    return 1
}

kafka_install() {
    local stage java
    stage=$(staging kafka)
    java=$(find_java)
    cat >"$stage/pom.xml" <<POM
<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>bongsu.tests</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>$KAFKA</version></dependency>
    <dependency><groupId>org.apache.logging.log4j</groupId><artifactId>log4j-slf4j-impl</artifactId><version>2.24.3</version></dependency>
  </dependencies>
</project>
POM
    nicely mvn -B -f "$stage/pom.xml" dependency:copy-dependencies \
        -DincludeScope=runtime -DoutputDirectory="$stage/libs"
    # Linked rather than looked up by the harness, so that both agree which Java is meant.
    ln -s "$java" "$stage/java"
    publish "$stage" "$CACHE/kafka-$KAFKA" "$KAFKA_RECIPE"
}
