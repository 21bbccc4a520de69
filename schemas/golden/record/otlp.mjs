// Records what the OpenTelemetry SDK for JavaScript sends as OTLP/HTTP (JSON) into schemas/golden/otlp.
//
//     mkdir /tmp/otel && cp schemas/golden/record/otlp.mjs /tmp/otel && cd /tmp/otel
//     npm install @opentelemetry/sdk-metrics@2 @opentelemetry/exporter-metrics-otlp-http@0.200 @opentelemetry/resources@2
//     node otlp.mjs PATH_OF_THE_CHECKOUT
import { createServer } from 'node:http';
import { writeFileSync } from 'node:fs';
import { OTLPMetricExporter } from '@opentelemetry/exporter-metrics-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import { AggregationType, MeterProvider, PeriodicExportingMetricReader } from '@opentelemetry/sdk-metrics';

const server = createServer((request, response) => {
  const parts = [];
  request.on('data', (part) => parts.push(part));
  request.on('end', () => {
    console.log(request.url, request.headers['content-type'], request.headers['content-encoding']);
    writeFileSync(`${process.argv[2]}/schemas/golden/otlp/javascript.json`, Buffer.concat(parts));
    response.setHeader('content-type', 'application/json');
    response.end('{}');
  });
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const exporter = new OTLPMetricExporter({ url: `http://127.0.0.1:${server.address().port}/v1/metrics` });
const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
const provider = new MeterProvider({
  readers: [reader],
  resource: resourceFromAttributes({ 'service.name': 'shop', 'host.name': 'web-2', 'process.command_args': ['a', 'b c'] }),
  views: [{ instrumentName: 'http.exponential', aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }],
});
const meter = provider.getMeter('shop.orders', '1.2.0');
meter.createCounter('orders').add(3, { region: 'Seoul, 1', paid: true });
meter.createUpDownCounter('queue.length').add(-2);
meter.createObservableGauge('cpu.usage').addCallback((result) => result.observe(12.5, { cpu: 0 }));
const duration = meter.createHistogram('http.duration', { advice: { explicitBucketBoundaries: [5, 50, 500] } });
const spread = meter.createHistogram('http.exponential');
for (const value of [1, 7, 70, 700.5]) {
  duration.record(value, { route: '/' });
  spread.record(value);
}
await provider.forceFlush();
await provider.shutdown();
server.close();
