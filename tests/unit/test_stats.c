#include "shm/stats.h"
#include "tests/unit/unit.h"

static bool name_valid(const char *name) {
    for (const char *c = name; *c; c++)
        if (!((*c >= 'a' && *c <= 'z') || *c == '_'))
            return false;
    return strncmp(name, "moonx_", 6) == 0 && name[6] != '\0';
}

static bool ends_with(const char *text, const char *end) {
    size_t length = strlen(text), tail = strlen(end);
    return length >= tail && strcmp(text + length - tail, end) == 0;
}

START_TEST(every_row_has_a_prometheus_name_and_a_help_line) {
    for (unsigned i = 0; i < STAT_COUNT; i++) {
        const struct stat_info *info = &stats_info[i];
        ck_assert_msg(name_valid(info->name), "%s", info->name);
        ck_assert_msg(strlen(info->help) > 5 && !strchr(info->help, '\n'), "%s", info->name);
        ck_assert_msg(ends_with(info->name, "_total") == (info->kind == STAT_counter), "%s",
                      info->name);
    }
}
END_TEST

START_TEST(names_are_unique) {
    for (unsigned i = 0; i < STAT_COUNT; i++)
        for (unsigned j = 0; j < i; j++)
            ck_assert_str_ne(stats_info[i].name, stats_info[j].name);
}
END_TEST

START_TEST(a_new_incarnation_keeps_counters_and_resets_gauges) {
    static struct stats stats;
    for (unsigned i = 0; i < STAT_COUNT; i++)
        stats_set(&stats, (enum stat_id)i, i + 1);
    stats_reset_gauges(&stats);
    for (unsigned i = 0; i < STAT_COUNT; i++)
        ck_assert_uint_eq(stats_get(&stats, (enum stat_id)i),
                          stats_info[i].kind == STAT_gauge ? 0 : i + 1);
}
END_TEST

START_TEST(counts_add_up_and_wrap_like_any_counter) {
    static struct stats stats;
    stats_add(&stats, STAT_CONNECTIONS, 3);
    stats_sub(&stats, STAT_CONNECTIONS, 1);
    ck_assert_uint_eq(stats_get(&stats, STAT_CONNECTIONS), 2);
    stats_set(&stats, STAT_BYTES_OUT, UINT64_MAX);
    stats_add(&stats, STAT_BYTES_OUT, 2);
    ck_assert_uint_eq(stats_get(&stats, STAT_BYTES_OUT), 1);
    ck_assert_uint_eq(stats_get(&stats, STAT_CONNECTIONS), 2);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("stats");
    TCase *tests = tcase_create("table and counters");
    tcase_add_test(tests, every_row_has_a_prometheus_name_and_a_help_line);
    tcase_add_test(tests, names_are_unique);
    tcase_add_test(tests, a_new_incarnation_keeps_counters_and_resets_gauges);
    tcase_add_test(tests, counts_add_up_and_wrap_like_any_counter);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
