#include "gateway/http/health.h"
#include "http_fixture.h"
#include "tests/unit/unit.h"

static struct http_fixture fixture;

static void start(void) {
    fixture_start(&fixture);
}

static void stop(void) {
    fixture_stop(&fixture);
}

static void silence_worker(unsigned index) {
    store_relaxed(&fixture.view.workers[index]->heartbeat_ns, FIXTURE_NOW_NS - 5000000000);
}

START_TEST(a_healthy_host_shows_the_whole_page) {
    struct stats *first = &fixture.view.workers[0]->stats;
    struct stats *second = &fixture.view.workers[1]->stats;
    stats_set(first, STAT_CONNECTIONS, 4);
    stats_set(second, STAT_CONNECTIONS, 5);
    stats_set(first, STAT_PENDING_AUTH, 1);
    stats_set(second, STAT_PENDING_AUTH, 2);
    stats_set(first, STAT_UPGRADES, 100);
    stats_set(second, STAT_UPGRADES, 11);
    stats_set(first, STAT_MESSAGES_IN, 20);
    stats_set(second, STAT_MESSAGES_IN, 1);
    stats_set(first, STAT_MESSAGES_OUT, 300000000000000007);
    stats_set(second, STAT_MESSAGES_OUT, 1);
    stats_set(first, STAT_AUTH_SUCCESSES, 50);
    stats_set(second, STAT_AUTH_FAILURES, 6);
    stats_set(&fixture.view.segment.ingest->stats, STAT_KAFKA_MESSAGES, 77);
    store_relaxed(&fixture.view.workers[1]->flush_uring, 1);
    struct http_response response;
    fixture_answer(&fixture, "GET /health", "", &response);
    ck_assert_uint_eq(response.status, 200);
    ck_assert_str_eq(
        response.body,
        "{\"status\":\"healthy\",\"timestamp\":1700000000123,\"services\":{\"kafka\":true},"
        "\"components\":{\"ConnectionManager\":{\"status\":\"healthy\",\"connections\":9},"
        "\"KafkaConsumer\":{\"status\":\"healthy\",\"processed\":77},"
        "\"RateLimiter\":{\"status\":\"healthy\",\"requests\":21},"
        "\"AuthService\":{\"status\":\"healthy\",\"verifications\":56},"
        "\"ConnectionHandler\":{\"status\":\"healthy\",\"pending\":3}},"
        "\"serviceCount\":{\"total\":3,\"running\":3,\"initialized\":3},"
        "\"metrics\":{\"totalConnections\":111,\"activeConnections\":9,"
        "\"messagesSent\":300000000000000008,\"messagesReceived\":21,\"pendingAuthentications\":3},"
        "\"uptime\":40,"
        "\"workers\":[{\"pid\":1000,\"status\":\"healthy\",\"connections\":4,\"flush\":\"sendmsg\"}"
        ","
        "{\"pid\":1001,\"status\":\"healthy\",\"connections\":5,\"flush\":\"io_uring\"}],"
        "\"instance\":\"host-1\",\"version\":\"" MOONX_VERSION "\"}");
    http_response_done(&response);
}
END_TEST

START_TEST(kafka_away_degrades_but_stays_200) {
    store_relaxed(&fixture.view.segment.ingest->flags, INGEST_CAUGHT_UP);
    cJSON *json = fixture_json(&fixture, "GET /health", 200);
    fixture_check_text(json, "status", "degraded");
    fixture_check_bool(json, "services.kafka", false);
    fixture_check_text(json, "components.KafkaConsumer.status", "degraded");
    fixture_check_text(json, "components.ConnectionManager.status", "healthy");
    cJSON_Delete(json);
}
END_TEST

START_TEST(a_dependency_that_is_down_for_one_worker_degrades_but_stays_200) {
    static const struct {
        enum stat_id up, down;
        const char *service, *component;
    } rows[] = {
        {STAT_AUTH_SERVICE_UP, STAT_AUTH_SERVICE_DOWN, "services.auth",
         "components.AuthService.status"},
        {STAT_ISSUER_KEYS_UP, STAT_ISSUER_KEYS_DOWN, "services.auth",
         "components.AuthService.status"},
        {STAT_REDIS_UP, STAT_REDIS_DOWN, "services.redis", "components.RateLimiter.status"},
        {STAT_EXTERNAL_UP, STAT_EXTERNAL_DOWN, "services.external", NULL},
    };
    for (unsigned i = 0; i < ARRAY_LENGTH(rows); i++) {
        stats_set(&fixture.view.workers[0]->stats, rows[i].up, 1);
        stats_set(&fixture.view.workers[1]->stats, rows[i].down, 1);
        cJSON *json = fixture_json(&fixture, "GET /health", 200);
        fixture_check_text(json, "status", "degraded");
        fixture_check_bool(json, rows[i].service, false);
        if (rows[i].component != NULL) {
            fixture_check_text(json, rows[i].component, "degraded");
        }
        fixture_check_text(json, "components.ConnectionManager.status", "healthy");
        cJSON_Delete(json);
        stats_set(&fixture.view.workers[1]->stats, rows[i].down, 0);
        stats_set(&fixture.view.workers[1]->stats, rows[i].up, 1);
        json = fixture_json(&fixture, "GET /health", 200);
        fixture_check_text(json, "status", "healthy");
        fixture_check_bool(json, rows[i].service, true);
        cJSON_Delete(json);
    }
}
END_TEST

START_TEST(one_lost_worker_degrades_and_its_connections_are_gone) {
    stats_set(&fixture.view.workers[0]->stats, STAT_CONNECTIONS, 4);
    stats_set(&fixture.view.workers[1]->stats, STAT_CONNECTIONS, 5);
    silence_worker(1);
    store_relaxed(&fixture.view.host->children[2].state, HOST_CHILD_WAITING);
    cJSON *json = fixture_json(&fixture, "GET /health", 200);
    fixture_check_text(json, "status", "degraded");
    fixture_check_text(json, "components.ConnectionManager.status", "degraded");
    fixture_check_number(json, "components.ConnectionManager.connections", 4);
    fixture_check_number(json, "metrics.activeConnections", 4);
    fixture_check_text(json, "workers.1.status", "unhealthy");
    fixture_check_number(json, "workers.1.connections", 0);
    fixture_check_number(json, "serviceCount.total", 3);
    fixture_check_number(json, "serviceCount.running", 2);
    fixture_check_number(json, "serviceCount.initialized", 2);
    cJSON_Delete(json);
}
END_TEST

START_TEST(a_worker_that_is_starting_is_no_fault) {
    store_relaxed(&fixture.view.workers[1]->state, WORKER_STARTING);
    store_relaxed(&fixture.view.workers[1]->heartbeat_ns, 0);
    cJSON *json = fixture_json(&fixture, "GET /health", 200);
    fixture_check_text(json, "status", "healthy");
    fixture_check_text(json, "workers.1.status", "starting");
    fixture_check_number(json, "serviceCount.initialized", 2);
    cJSON_Delete(json);
}
END_TEST

START_TEST(a_draining_worker_still_lives) {
    store_relaxed(&fixture.view.workers[0]->state, WORKER_DRAINING);
    store_relaxed(&fixture.view.workers[1]->state, WORKER_DRAINING);
    cJSON *json = fixture_json(&fixture, "GET /health", 200);
    fixture_check_text(json, "status", "healthy");
    fixture_check_text(json, "workers.0.status", "draining");
    cJSON_Delete(json);
}
END_TEST

START_TEST(without_a_live_worker_the_host_is_unhealthy) {
    silence_worker(0);
    store_relaxed(&fixture.view.workers[1]->state, WORKER_ABSENT);
    cJSON *json = fixture_json(&fixture, "GET /health", 503);
    fixture_check_text(json, "status", "unhealthy");
    fixture_check_text(json, "components.ConnectionManager.status", "unhealthy");
    fixture_check_text(json, "workers.1.status", "unhealthy");
    cJSON_Delete(json);
}
END_TEST

START_TEST(workers_that_only_start_do_not_make_a_host_healthy) {
    for (unsigned i = 0; i < FIXTURE_WORKERS; i++) {
        store_relaxed(&fixture.view.workers[i]->state, WORKER_STARTING);
    }
    cJSON *json = fixture_json(&fixture, "GET /health", 503);
    fixture_check_text(json, "status", "unhealthy");
    cJSON_Delete(json);
}
END_TEST

START_TEST(without_ingest_the_host_is_unhealthy) {
    store_relaxed(&fixture.view.segment.ingest->pid, 0);
    cJSON *json = fixture_json(&fixture, "GET /health", 503);
    fixture_check_text(json, "status", "unhealthy");
    fixture_check_text(json, "components.KafkaConsumer.status", "unhealthy");
    fixture_check_text(json, "components.ConnectionManager.status", "healthy");
    fixture_check_bool(json, "services.kafka", false);
    cJSON_Delete(json);
}
END_TEST

START_TEST(a_heartbeat_counts_for_less_than_five_seconds) {
    shm_u64 *beats[] = {&fixture.view.segment.ingest->heartbeat_ns,
                        &fixture.view.workers[0]->heartbeat_ns};
    store_relaxed(&fixture.view.workers[1]->state, WORKER_ABSENT);
    for (size_t i = 0; i < ARRAY_LENGTH(beats); i++) {
        uint64_t usual = load_relaxed(beats[i]);
        store_relaxed(beats[i], FIXTURE_NOW_NS - 4999999999ull);
        cJSON_Delete(fixture_json(&fixture, "GET /health", 200));
        store_relaxed(beats[i], FIXTURE_NOW_NS - 5000000000ull);
        cJSON_Delete(fixture_json(&fixture, "GET /health", 503));
        store_relaxed(beats[i],
                      FIXTURE_NOW_NS + 1); /* beat between our look at the clock and at it */
        cJSON_Delete(fixture_json(&fixture, "GET /health", 200));
        store_relaxed(beats[i], 0);
        cJSON_Delete(fixture_json(&fixture, "GET /health", 503));
        store_relaxed(beats[i], usual);
    }
}
END_TEST

static void check_ready(unsigned status, const char *reason) {
    cJSON *json = fixture_json(&fixture, "GET /ready", status);
    fixture_check_text(json, "status", reason ? "not_ready" : "ready");
    if (reason) {
        fixture_check_text(json, "reason", reason);
    } else {
        ck_assert_int_eq(cJSON_GetArraySize(json), 1);
    }
    cJSON_Delete(json);
}

START_TEST(a_host_is_ready_once_it_has_caught_up) {
    store_relaxed(&fixture.view.segment.ingest->flags, 0);
    check_ready(503, "waiting for Kafka");
    store_relaxed(&fixture.view.segment.ingest->flags, INGEST_KAFKA_UP);
    check_ready(503, "catching up with Kafka");
    store_relaxed(&fixture.view.segment.ingest->flags, INGEST_KAFKA_UP | INGEST_CAUGHT_UP);
    check_ready(200, NULL);
}
END_TEST

START_TEST(a_broker_or_an_ingest_that_goes_away_later_changes_nothing) {
    store_relaxed(&fixture.view.segment.ingest->flags, INGEST_CAUGHT_UP);
    check_ready(200, NULL);
    store_relaxed(&fixture.view.segment.ingest->pid, 0);
    store_relaxed(&fixture.view.segment.ingest->heartbeat_ns, 1);
    check_ready(200, NULL);
}
END_TEST

START_TEST(a_host_without_ingest_has_never_been_ready) {
    store_relaxed(&fixture.view.segment.ingest->heartbeat_ns, 0);
    check_ready(503, "ingest has not started yet");
}
END_TEST

START_TEST(a_draining_host_is_not_ready) {
    store_relaxed(&fixture.view.host->draining, 1);
    check_ready(503, "draining");
}
END_TEST

START_TEST(a_host_that_has_been_asked_to_drain_is_not_ready_for_any_worker) {
    store_relaxed(&fixture.view.workers[1]->asked_drain, 1);
    check_ready(503, "draining");
}
END_TEST

int main(void) {
    Suite *suite = suite_create("health");
    TCase *tests = tcase_create("health");
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_test(tests, a_healthy_host_shows_the_whole_page);
    tcase_add_test(tests, kafka_away_degrades_but_stays_200);
    tcase_add_test(tests, a_dependency_that_is_down_for_one_worker_degrades_but_stays_200);
    tcase_add_test(tests, one_lost_worker_degrades_and_its_connections_are_gone);
    tcase_add_test(tests, a_worker_that_is_starting_is_no_fault);
    tcase_add_test(tests, a_draining_worker_still_lives);
    tcase_add_test(tests, without_a_live_worker_the_host_is_unhealthy);
    tcase_add_test(tests, workers_that_only_start_do_not_make_a_host_healthy);
    tcase_add_test(tests, without_ingest_the_host_is_unhealthy);
    tcase_add_test(tests, a_heartbeat_counts_for_less_than_five_seconds);
    tcase_add_test(tests, a_host_is_ready_once_it_has_caught_up);
    tcase_add_test(tests, a_broker_or_an_ingest_that_goes_away_later_changes_nothing);
    tcase_add_test(tests, a_host_without_ingest_has_never_been_ready);
    tcase_add_test(tests, a_draining_host_is_not_ready);
    tcase_add_test(tests, a_host_that_has_been_asked_to_drain_is_not_ready_for_any_worker);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
