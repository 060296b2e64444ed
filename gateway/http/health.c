#include "gateway/http/health.h"

#include "common/clock.h"
#include "gateway/http/json_body.h"
#include "gateway/http/liveness.h"

enum grade { HEALTHY, DEGRADED, UNHEALTHY };
static const char *const grade_names[] = {"healthy", "degraded", "unhealthy"};

/* What the page says, worked out once. */
struct findings {
    const struct host_view *view;
    uint64_t now_ns;
    bool kafka_up;
    bool ingest_live;
    unsigned workers_live, workers_lost;
    enum grade workers, consumer, limiter, verifier, host;
};

static struct findings examine(const struct host_view *view);
static uint64_t sum_live(const struct findings *findings, enum stat_id gauge);
static void add_services(struct json_body *body, const struct findings *findings);
static void add_components(struct json_body *body, const struct findings *findings);
static void add_service_count(struct json_body *body, const struct findings *findings);
static void add_metrics(struct json_body *body, const struct findings *findings);
static void add_workers(struct json_body *body, const struct findings *findings);

void health_answer(const struct server_context *context, struct http_response *response) {
    struct findings findings = examine(context->view);
    struct json_body body;
    json_body_start(&body);
    json_body_text(&body, body.root, "status", grade_names[findings.host]);
    json_body_integer(&body, body.root, "timestamp", clock_wall_ms());
    add_services(&body, &findings);
    add_components(&body, &findings);
    add_service_count(&body, &findings);
    add_metrics(&body, &findings);
    uint64_t started_ns = context->view->host->started_mono_ns;
    uint64_t uptime_ns = findings.now_ns > started_ns ? findings.now_ns - started_ns : 0;
    json_body_count(&body, body.root, "uptime", uptime_ns / 1000000000u);
    add_workers(&body, &findings);
    json_body_text(&body, body.root, "instance", context->instance_id ? context->instance_id : "");
    json_body_text(&body, body.root, "version", MOONX_VERSION);
    json_body_finish(&body, findings.host == UNHEALTHY ? 503 : 200, response);
}

void health_answer_ready(const struct server_context *context, struct http_response *response) {
    const char *reason = health_not_ready(context->view);
    struct json_body body;
    json_body_start(&body);
    json_body_text(&body, body.root, "status", reason ? "not_ready" : "ready");
    if (reason) {
        json_body_text(&body, body.root, "reason", reason);
    }
    json_body_finish(&body, reason ? 503 : 200, response);
}

const char *health_not_ready(const struct host_view *view) {
    if (host_view_draining(view)) {
        return "draining";
    }
    if (load_relaxed(&view->segment.ingest->heartbeat_ns) == 0) {
        return "ingest has not started yet";
    }
    if (!liveness_ingest_flag(view, INGEST_CAUGHT_UP)) {
        return liveness_ingest_flag(view, INGEST_KAFKA_UP) ? "catching up with Kafka"
                                                           : "waiting for Kafka";
    }
    return NULL;
}

static enum grade worst(enum grade a, enum grade b) {
    return a > b ? a : b;
}

/* Silent, or not there; one that is just starting is not lost. */
static bool is_lost(const struct worker_block *block, uint64_t now_ns) {
    return !liveness_worker(block, now_ns) &&
           !(block && load_relaxed(&block->state) == WORKER_STARTING);
}

/* What lies outside and is down only degrades. */
static enum grade with_dependency(const struct findings *findings, enum stat_id down) {
    return sum_live(findings, down) > 0 ? worst(findings->workers, DEGRADED) : findings->workers;
}

static struct findings examine(const struct host_view *view) {
    struct findings found = {.view = view, .now_ns = clock_mono_ns()};
    found.ingest_live = liveness_ingest(view, found.now_ns);
    found.kafka_up = found.ingest_live && liveness_ingest_flag(view, INGEST_KAFKA_UP);
    found.workers_live = liveness_worker_count(view, found.now_ns);
    for (uint32_t i = 0; i < view->worker_count; i++) {
        found.workers_lost += is_lost(view->workers[i], found.now_ns);
    }
    found.workers = found.workers_live == 0 ? UNHEALTHY : found.workers_lost ? DEGRADED : HEALTHY;
    found.consumer = !found.ingest_live ? UNHEALTHY : found.kafka_up ? HEALTHY : DEGRADED;
    found.limiter = with_dependency(&found, STAT_REDIS_DOWN);
    found.verifier = worst(with_dependency(&found, STAT_AUTH_SERVICE_DOWN),
                           with_dependency(&found, STAT_ISSUER_KEYS_DOWN));
    found.host = worst(worst(found.limiter, found.verifier), found.consumer);
    found.host = worst(found.host, with_dependency(&found, STAT_EXTERNAL_DOWN));
    return found;
}

/* Nobody counts what is not configured; one worker that lacks it is enough. */
static void add_service(struct json_body *body, cJSON *services, const char *name, uint64_t have,
                        uint64_t lack) {
    if (have + lack > 0) {
        json_body_bool(body, services, name, lack == 0);
    }
}

/* Only what is configured is listed; Kafka always is. */
static void add_services(struct json_body *body, const struct findings *findings) {
    cJSON *services = json_body_object(body, body->root, "services");
    json_body_bool(body, services, "kafka", findings->kafka_up);
    add_service(body, services, "auth",
                sum_live(findings, STAT_AUTH_SERVICE_UP) + sum_live(findings, STAT_ISSUER_KEYS_UP),
                sum_live(findings, STAT_AUTH_SERVICE_DOWN) +
                    sum_live(findings, STAT_ISSUER_KEYS_DOWN));
    add_service(body, services, "redis", sum_live(findings, STAT_REDIS_UP),
                sum_live(findings, STAT_REDIS_DOWN));
    add_service(body, services, "external", sum_live(findings, STAT_EXTERNAL_UP),
                sum_live(findings, STAT_EXTERNAL_DOWN));
}

/* Gauges of a lost worker describe connections that are gone. */
static uint64_t sum_live(const struct findings *findings, enum stat_id gauge) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < findings->view->worker_count; i++) {
        const struct worker_block *block = findings->view->workers[i];
        if (liveness_worker(block, findings->now_ns)) {
            sum += stats_get(&block->stats, gauge);
        }
    }
    return sum;
}

static void add_component(struct json_body *body, cJSON *components, const char *name,
                          enum grade grade, const char *figure, uint64_t value) {
    cJSON *component = json_body_object(body, components, name);
    json_body_text(body, component, "status", grade_names[grade]);
    json_body_count(body, component, figure, value);
}

static void add_components(struct json_body *body, const struct findings *findings) {
    const struct host_view *view = findings->view;
    cJSON *components = json_body_object(body, body->root, "components");
    uint64_t verifications =
        host_view_sum(view, STAT_AUTH_SUCCESSES) + host_view_sum(view, STAT_AUTH_FAILURES);
    add_component(body, components, "ConnectionManager", findings->workers, "connections",
                  sum_live(findings, STAT_CONNECTIONS));
    add_component(body, components, "KafkaConsumer", findings->consumer, "processed",
                  host_view_sum(view, STAT_KAFKA_MESSAGES));
    add_component(body, components, "RateLimiter", findings->limiter, "requests",
                  host_view_sum(view, STAT_MESSAGES_IN));
    add_component(body, components, "AuthService", findings->verifier, "verifications",
                  verifications);
    add_component(body, components, "ConnectionHandler", findings->workers, "pending",
                  sum_live(findings, STAT_PENDING_AUTH));
}

/* The supervisor's children: ingest and the workers. */
static void add_service_count(struct json_body *body, const struct findings *findings) {
    uint64_t total = 1 + (uint64_t)findings->view->worker_count;
    uint64_t running = 0;
    for (uint64_t i = 0; i < total; i++) {
        running += load_relaxed(&findings->view->host->children[i].state) == HOST_CHILD_RUNNING;
    }
    cJSON *count = json_body_object(body, body->root, "serviceCount");
    json_body_count(body, count, "total", total);
    json_body_count(body, count, "running", running);
    json_body_count(body, count, "initialized",
                    findings->ingest_live + (uint64_t)findings->workers_live);
}

static void add_metrics(struct json_body *body, const struct findings *findings) {
    const struct host_view *view = findings->view;
    cJSON *metrics = json_body_object(body, body->root, "metrics");
    json_body_count(body, metrics, "totalConnections", host_view_sum(view, STAT_UPGRADES));
    json_body_count(body, metrics, "activeConnections", sum_live(findings, STAT_CONNECTIONS));
    json_body_count(body, metrics, "messagesSent", host_view_sum(view, STAT_MESSAGES_OUT));
    json_body_count(body, metrics, "messagesReceived", host_view_sum(view, STAT_MESSAGES_IN));
    json_body_count(body, metrics, "pendingAuthentications", sum_live(findings, STAT_PENDING_AUTH));
}

static const char *worker_status(const struct worker_block *block, uint64_t now_ns) {
    if (is_lost(block, now_ns)) {
        return "unhealthy";
    }
    uint32_t state = load_relaxed(&block->state);
    return state == WORKER_STARTING   ? "starting"
           : state == WORKER_DRAINING ? "draining"
                                      : "healthy";
}

static void add_workers(struct json_body *body, const struct findings *findings) {
    cJSON *workers = json_body_array(body, body->root, "workers");
    for (uint32_t i = 0; i < findings->view->worker_count; i++) {
        const struct worker_block *block = findings->view->workers[i];
        if (!block) {
            continue;
        }
        bool live = liveness_worker(block, findings->now_ns);
        cJSON *worker = json_body_object(body, workers, NULL);
        json_body_count(body, worker, "pid", load_relaxed(&block->pid));
        json_body_text(body, worker, "status", worker_status(block, findings->now_ns));
        json_body_count(body, worker, "connections",
                        live ? stats_get(&block->stats, STAT_CONNECTIONS) : 0);
        json_body_text(body, worker, "flush",
                       load_relaxed(&block->flush_uring) ? "io_uring" : "sendmsg");
    }
}
