/* /metrics is read back by a strict reader of the text format 0.0.4: each line of a known form, a family's
 * lines together behind its HELP and TYPE, no family and no sample twice, numbers that are numbers. */
#include "gateway/http/metrics.h"
#include "http_fixture.h"
#include "tests/unit/unit.h"

#include <regex.h>

#define MAX_LINES 4096

static struct http_fixture fixture;

static void start(void) {
    fixture_start(&fixture);
}

static void stop(void) {
    fixture_stop(&fixture);
}

struct page {
    struct http_response response;
    char *lines[MAX_LINES];
    unsigned count;
};

static void page_get(struct page *page) {
    memset(page, 0, sizeof(*page));
    fixture_answer(&fixture, "GET /metrics", "", &page->response);
    ck_assert_uint_eq(page->response.status, 200);
    ck_assert_str_eq(page->response.content_type, "text/plain; version=0.0.4; charset=utf-8");
    char *text = page->response.body;
    ck_assert_uint_eq(strlen(text), page->response.body_length);
    ck_assert_int_eq(text[page->response.body_length - 1], '\n');
    char *rest = NULL;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        ck_assert_uint_lt(page->count, MAX_LINES);
        page->lines[page->count++] = line;
    }
}

static void page_done(struct page *page) {
    http_response_done(&page->response);
}

static bool page_has(const struct page *page, const char *line) {
    for (unsigned i = 0; i < page->count; i++) {
        if (strcmp(page->lines[i], line) == 0) {
            return true;
        }
    }
    return false;
}

static bool page_mentions(const struct page *page, const char *start) {
    for (unsigned i = 0; i < page->count; i++) {
        if (strncmp(page->lines[i], start, strlen(start)) == 0) {
            return true;
        }
    }
    return false;
}

#define NAME   "[a-zA-Z_:][a-zA-Z0-9_:]*"
#define LABEL  "[a-zA-Z_][a-zA-Z0-9_]*=\"([^\"\\\\]|\\\\[\\\\\"n])*\""
#define NUMBER "-?[0-9]+(\\.[0-9]+)?"

static bool matches(const char *line, const char *pattern) {
    regex_t regex;
    ck_assert_int_eq(regcomp(&regex, pattern, REG_EXTENDED | REG_NOSUB), 0);
    bool found = regexec(&regex, line, 0, NULL, 0) == 0;
    regfree(&regex);
    return found;
}

static size_t name_length(const char *text) {
    return strcspn(text, " {");
}

/* The family's HELP at *at; moves *at behind its samples. */
static void check_family(const struct page *page, unsigned *at) {
    const char *help = page->lines[(*at)++];
    ck_assert_msg(matches(help, "^# HELP " NAME " [^ ].*$"), "%s", help);
    const char *name = help + strlen("# HELP ");
    size_t length = name_length(name);
    ck_assert_msg(strncmp(name, "moonx_", 6) == 0, "%s", help);
    ck_assert_uint_lt(*at, page->count);
    const char *type = page->lines[(*at)++];
    ck_assert_msg(matches(type, "^# TYPE " NAME " (counter|gauge)$"), "%s", type);
    ck_assert_msg(strncmp(type + strlen("# TYPE "), name, length + 1) == 0, "%s after %s", type,
                  help);
    bool counter = strstr(type, " counter") != NULL;
    bool total = length > 6 && strncmp(name + length - 6, "_total", 6) == 0;
    ck_assert_msg(counter == total, "%s: only counters end in _total, and all do", type);
    for (; *at < page->count && page->lines[*at][0] != '#'; (*at)++) {
        const char *sample = page->lines[*at];
        ck_assert_msg(matches(sample, "^" NAME "(\\{" LABEL "(," LABEL ")*\\})? " NUMBER "$"), "%s",
                      sample);
        ck_assert_msg(name_length(sample) == length && strncmp(sample, name, length) == 0,
                      "%s under %s", sample, help);
    }
}

static void check_no_line_begins_twice(const struct page *page) {
    for (unsigned i = 0; i < page->count; i++) {
        /* HELP and TYPE by name; samples by name and labels. */
        const char *end = page->lines[i][0] == '#'
                              ? page->lines[i] + 7 + name_length(page->lines[i] + 7)
                              : strrchr(page->lines[i], ' ');
        size_t length = (size_t)(end - page->lines[i]) + 1;
        for (unsigned j = i + 1; j < page->count; j++) {
            ck_assert_msg(strncmp(page->lines[i], page->lines[j], length) != 0, "%s twice",
                          page->lines[i]);
        }
    }
}

static void check_page(const struct page *page) {
    unsigned at = 0;
    while (at < page->count) {
        check_family(page, &at);
    }
    check_no_line_begins_twice(page);
}

static void fill_positions(void) {
    struct positions *positions = fixture.view.segment.positions;
    int known = positions_intern(positions, SPAN_LITERAL("price.updates"), 3);
    int unknown = positions_intern(positions, SPAN_LITERAL("price.updates"), 4);
    ck_assert(known == 0 && unknown == 1);
    store_relaxed(&positions->partitions[known].next, 10);
    store_relaxed(&positions->partitions[known].high_watermark, 17);
}

START_TEST(the_page_keeps_to_the_text_format) {
    struct page page;
    fill_positions();
    page_get(&page);
    check_page(&page);
    page_done(&page);
}
END_TEST

START_TEST(every_row_of_the_table_is_there) {
    struct page page;
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        struct stats *stats = stats_info[id].owner == STAT_ingest
                                  ? &fixture.view.segment.ingest->stats
                                  : &fixture.view.workers[1]->stats;
        stats_set(stats, (enum stat_id)id, 1000 + id);
    }
    page_get(&page);
    for (unsigned id = 0; id < STAT_COUNT; id++) {
        const char *labels = stats_info[id].owner == STAT_ingest ? "" : "{worker=\"1\"}";
        char line[512];
        snprintf(line, sizeof(line), "%s%s %u", stats_info[id].name, labels, 1000 + id);
        ck_assert_msg(page_has(&page, line), "%s", line);
        snprintf(line, sizeof(line), "# HELP %s %s", stats_info[id].name, stats_info[id].help);
        ck_assert_msg(page_has(&page, line), "%s", line);
    }
    page_done(&page);
}
END_TEST

START_TEST(a_counter_at_the_end_of_its_range_keeps_every_digit) {
    struct page page;
    stats_set(&fixture.view.workers[0]->stats, STAT_BYTES_OUT, UINT64_MAX);
    page_get(&page);
    ck_assert(page_has(&page, "moonx_sent_bytes_total{worker=\"0\"} 18446744073709551615"));
    page_done(&page);
}
END_TEST

START_TEST(derived_figures_are_told) {
    static const char *const lines[] = {
        "moonx_build_info{version=\"" MOONX_VERSION "\"} 1",
        "moonx_start_time_seconds 1699999960.123",
        "moonx_ready 1",
        "moonx_draining 0",
        "moonx_kafka_up 1",
        "moonx_kafka_caught_up 1",
        "moonx_ingest_paced 0",
        "moonx_kafka_lag{topic=\"price.updates\",partition=\"3\"} 7",
        "moonx_kafka_position{topic=\"price.updates\",partition=\"3\"} 10",
        "moonx_child_up{child=\"ingest\"} 1",
        "moonx_child_up{child=\"worker-0\"} 1",
        "moonx_child_up{child=\"worker-1\"} 0",
        "moonx_child_restarts_total{child=\"ingest\"} 2",
        "moonx_child_restarts_total{child=\"worker-0\"} 0",
        "moonx_child_restarts_total{child=\"worker-1\"} 3",
        "moonx_child_hung_kills_total{child=\"worker-1\"} 1",
        "moonx_ring_capacity_bytes 1048576",
        "moonx_ring_lag_bytes{worker=\"0\"} 900",
        "moonx_worker_flush_uring{worker=\"0\"} 1",
        "moonx_worker_flush_uring{worker=\"1\"} 0",
        "moonx_events_passed_over_total{worker=\"1\",topic=\"price.updates\",reason=\"conflated\"} "
        "12",
    };
    struct page page;
    fill_positions();
    store_relaxed(&fixture.view.host->children[0].restarts, 2);
    store_relaxed(&fixture.view.host->children[2].restarts, 3);
    store_relaxed(&fixture.view.host->children[2].hung_kills, 1);
    store_relaxed(&fixture.view.segment.words->published, 1000);
    store_relaxed(&fixture.view.workers[0]->cursor, 100);
    store_relaxed(&fixture.view.workers[0]->flush_uring, 1);
    store_relaxed(&fixture.view.workers[1]->state, WORKER_ABSENT);
    store_relaxed(&fixture.view.workers[1]->passed_over[PASSED_OVER_CONFLATED][0], 12);
    page_get(&page);
    for (size_t i = 0; i < ARRAY_LENGTH(lines); i++) {
        ck_assert_msg(page_has(&page, lines[i]), "%s", lines[i]);
    }
    ck_assert(!page_mentions(&page, "moonx_kafka_lag{topic=\"price.updates\",partition=\"4\"}"));
    ck_assert(
        !page_mentions(&page, "moonx_kafka_position{topic=\"price.updates\",partition=\"4\"}"));
    ck_assert(!page_mentions(&page, "moonx_ring_lag_bytes{worker=\"1\"}"));
    ck_assert(!page_mentions(&page, "moonx_events_passed_over_total{worker=\"0\""));
    check_page(&page);
    page_done(&page);
}
END_TEST

START_TEST(states_that_are_off_are_zero) {
    struct page page;
    store_relaxed(&fixture.view.segment.ingest->pid, 0); /* its flags are what it left behind */
    store_relaxed(&fixture.view.host->draining, 1);
    store_relaxed(&fixture.view.segment.words->published, 5);
    store_relaxed(&fixture.view.workers[0]->cursor, 6);
    page_get(&page);
    ck_assert(page_has(&page, "moonx_kafka_up 0"));
    ck_assert(page_has(&page, "moonx_ready 0"));
    ck_assert(page_has(&page, "moonx_draining 1"));
    ck_assert(page_has(&page, "moonx_child_up{child=\"ingest\"} 0"));
    ck_assert(page_has(&page, "moonx_ring_lag_bytes{worker=\"0\"} 0"));
    page_done(&page);
}
END_TEST

START_TEST(label_values_are_escaped) {
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);
    metrics_write_label(out, SPAN_LITERAL("a\"b\\c\nd"));
    fclose(out);
    ck_assert_str_eq(text, "a\\\"b\\\\c\\nd");
    free(text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("metrics");
    TCase *tests = tcase_create("metrics");
    tcase_add_checked_fixture(tests, start, stop);
    tcase_add_test(tests, the_page_keeps_to_the_text_format);
    tcase_add_test(tests, every_row_of_the_table_is_there);
    tcase_add_test(tests, a_counter_at_the_end_of_its_range_keeps_every_digit);
    tcase_add_test(tests, derived_figures_are_told);
    tcase_add_test(tests, states_that_are_off_are_zero);
    tcase_add_test(tests, label_values_are_escaped);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
