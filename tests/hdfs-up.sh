#!/usr/bin/env bash
# Starts an empty HDFS of one NameNode and one DataNode on loopback, for the tests of HDFS checkpoints:
#
#     tests/hdfs-up.sh target/hdfs
#     HDFS_TEST_LOCATION=hdfs://127.0.0.1:19000/tests cargo test --all-features --lib hdfs -- --test-threads 16
#     kill $(cat target/hdfs/pids)
#
# Requires Java 11 or later, and Python with venv. Hadoop 2.7 is taken from the package pyspark 2.4.8 (220 MB, once).
set -euo pipefail
work=$(mkdir -p "${1:?usage: hdfs-up.sh FOLDER [PORT]}" && cd "$1" && pwd)
port=${2:-19000}
cd "$work"

if [ ! -d jars ]; then
    python3 -m venv python
    echo 'pypandoc<1.8' >constraints # required by the package's setup, in a compatible version
    PIP_CONSTRAINT="$work/constraints" python/bin/pip download --quiet --no-deps --dest . pyspark==2.4.8
    rm -rf unpacked # remains of an interrupted download
    mkdir unpacked
    tar -xzf pyspark-2.4.8.tar.gz -C unpacked --strip-components=3 --wildcards 'pyspark-*/deps/jars/*.jar'
    mv unpacked jars
    rm -r pyspark-2.4.8.tar.gz python
fi

property() { printf '<property><name>%s</name><value>%s</value></property>\n' "$@"; }
mkdir -p conf/webapps/hdfs conf/webapps/datanode
{
    echo '<configuration>'
    property fs.defaultFS "hdfs://127.0.0.1:$port" hadoop.tmp.dir "$work/data"
    echo '</configuration>'
} >conf/core-site.xml
{
    echo '<configuration>'
    property dfs.replication 1 dfs.webhdfs.enabled false dfs.namenode.rpc-bind-host 127.0.0.1 \
        dfs.namenode.http-address "127.0.0.1:$((port + 1))" \
        dfs.datanode.address "127.0.0.1:$((port + 2))" \
        dfs.datanode.http.address "127.0.0.1:$((port + 3))" \
        dfs.datanode.ipc.address "127.0.0.1:$((port + 4))" \
        dfs.datanode.hostname 127.0.0.1 dfs.namenode.safemode.extension 0
    echo '</configuration>'
} >conf/hdfs-site.xml
cat >conf/log4j.properties <<'END'
log4j.rootLogger=INFO,out
log4j.appender.out=org.apache.log4j.ConsoleAppender
log4j.appender.out.layout=org.apache.log4j.SimpleLayout
END

java=(java -Xmx256m -cp 'conf:jars/*')
# This version of Hadoop accesses JDK internals that later Java versions no longer export.
for open in java.security.jgss/sun.security.krb5 java.base/java.lang java.base/java.net java.base/java.nio; do
    java+=(--add-exports "$open=ALL-UNNAMED" --add-opens "$open=ALL-UNNAMED")
done
server=org.apache.hadoop.hdfs.server
rm -rf data
"${java[@]}" $server.namenode.NameNode -format -nonInteractive >format.log 2>&1
setsid "${java[@]}" $server.namenode.NameNode >namenode.log 2>&1 </dev/null &
echo $! >pids
setsid "${java[@]}" $server.datanode.DataNode >datanode.log 2>&1 </dev/null &
echo $! >>pids

for _ in $(seq 150); do
    if grep -q 'Successfully sent block report' datanode.log; then
        echo "hdfs://127.0.0.1:$port is up"
        exit
    fi
    kill -0 $(cat pids) || break
    sleep 0.2
done
echo "HDFS did not come up; see $work/*.log" >&2
kill $(cat pids) || true
exit 1
