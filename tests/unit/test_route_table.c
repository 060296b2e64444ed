#include "ingest/route_table.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct route_table *table;
static char error[512];

static int parse(const char *text) {
    route_table_free(table);
    table = NULL;
    error[0] = '\0';
    return route_table_parse("routes", span_of(text), &table, error, sizeof(error));
}

static void setup(void) {
    table = NULL;
}

static void teardown(void) {
    route_table_free(table);
}

static struct options options(void) {
    static char arguments[] = "moonx-ingest";
    char *const argv[] = {arguments, NULL};
    struct options made;
    struct option_command command;

    clearenv();
    ck_assert_int_eq(option_parse(1, argv, &made, &command, error, sizeof(error)), 0);
    return made;
}

START_TEST(without_a_file_the_protocol_s_nine_topics_are_routed) {
    struct options made = options();
    const struct route *route;

    ck_assert_int_eq(route_table_new(&made, &table, error, sizeof(error)), 0);
    ck_assert_uint_eq(table->count, 9);
    route = route_table_find(table, SPAN_LITERAL("price.updates"));
    ck_assert_ptr_nonnull(route);
    ck_assert_str_eq(route->type, "price_update");
    ck_assert_uint_eq(route->room_count, 2);
    ck_assert_uint_eq(route->required_count, 2);
    ck_assert_ptr_nonnull(route->conflate);
    ck_assert_int_eq(route_table_find(table, SPAN_LITERAL("gateway.events"))->kind, ROUTE_SELF);
    ck_assert_int_eq(route_table_find(table, SPAN_LITERAL("gateway.control"))->kind, ROUTE_CONTROL);
    ck_assert_ptr_null(route_table_find(table, SPAN_LITERAL("price")));
}
END_TEST

START_TEST(options_rename_the_built_in_topics) {
    struct options made = options();

    made.kafka_topic_orders = "shop.orders";
    ck_assert_int_eq(route_table_new(&made, &table, error, sizeof(error)), 0);
    ck_assert_ptr_null(route_table_find(table, SPAN_LITERAL("order.updates")));
    ck_assert_str_eq(route_table_find(table, SPAN_LITERAL("shop.orders"))->type, "order_update");
}
END_TEST

START_TEST(a_bad_or_doubled_topic_option_is_named) {
    struct options made = options();

    made.kafka_topic_orders = "with blank";
    ck_assert_int_eq(route_table_new(&made, &table, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "KAFKA_TOPIC_ORDERS: \"with blank\" is no topic name"));
    made.kafka_topic_orders = made.kafka_topic_prices;
    ck_assert_int_eq(route_table_new(&made, &table, error, sizeof(error)), -EINVAL);
    ck_assert_ptr_nonnull(strstr(error, "KAFKA_TOPIC_PRICES and KAFKA_TOPIC_ORDERS"));
}
END_TEST

START_TEST(a_file_replaces_the_built_in_routes) {
    struct options made = options();
    char path[] = "/tmp/moonx-routes-XXXXXX";
    static const char text[] = "# mine\nchat chat_message chat:{id} \\\n  require=id\n";
    int fd = mkstemp(path);

    ck_assert_int_eq(write(fd, text, strlen(text)), (int)strlen(text));
    close(fd);
    made.routes_file = path;
    ck_assert_int_eq(route_table_new(&made, &table, error, sizeof(error)), 0);
    ck_assert_uint_eq(table->count, 1);
    ck_assert_str_eq(table->routes[0]->required[0].name, "id");
    unlink(path);
    ck_assert_int_lt(route_table_new(&made, &table, error, sizeof(error)), 0);
    ck_assert_ptr_nonnull(strstr(error, path));
}
END_TEST

START_TEST(alternatives_know_the_fields_that_they_start_from) {
    const struct route_room *room;

    ck_assert_int_eq(parse("t n a:{x.y}:{z[].id}/b:{w}/c\n"), 0);
    room = &table->routes[0]->rooms[0];
    ck_assert_uint_eq(room->count, 3);
    ck_assert_uint_eq(room->alternatives[0].need_count, 2);
    ck_assert_str_eq(room->alternatives[0].needs[0].name, "x");
    ck_assert_str_eq(room->alternatives[0].needs[1].name, "z");
    ck_assert_str_eq(room->alternatives[1].needs[0].name, "w");
    ck_assert_uint_eq(room->alternatives[2].need_count, 0);
}
END_TEST

/* Each with what the one line must say. */
static const struct {
    const char *text, *says;
} bad[] = {
    {"", "no routes"},
    {"# nothing\n", "no routes"},
    {"t n\n", "routes:1: "},
    {"ok n a\nt n\n", "routes:2: "},
    {"t n a\nt m b\n", "routes:2: topic 't' has a route already, in line 1"},
    {"t/x n a\n", "no topic name"},
    {".. n a\n", "no topic name"},
    {"t n\"x a\n", "no type"},
    {"t @other a\n", "no type"},
    {"t n -\n", "needs rooms"},
    {"t - a\n", "must be -"},
    {"t @control a\n", "must be -"},
    {"t n a,\n", "empty room"},
    {"t n a//b\n", "empty room"},
    {"t n a/b/c/d/e\n", "alternatives"},
    {"t n a*b\n", "no room name"},
    {"t n a:{x\n", "a:{x"},
    {"t n a:{}\n", "a:{}"},
    {"t n a:{x[]}{y[]}\n", "array"},
    {"t n a colour=red\n", "unknown option 'colour=red'"},
    {"t n a require\n", "unknown option 'require'"},
    {"t n a require=\n", "require="},
    {"t n a require=a,,b\n", "require="},
    {"t n a conflate={\n", "conflate="},
    {"t n a conflate=\n", "conflate="},
    {"t n a conflate={a} conflate={b}\n", "twice"},
    {"t n a lossless lossless\n", "twice"},
    {"t n a lossless=yes\n", "unknown option"},
    {"t n a sample=100\n", "routes:1: sample= needs conflate="},
    {"t n a conflate={a} sample\n", "unknown option 'sample'"},
    {"t n a conflate={a} sample=\n", "10 to 60000"},
    {"t n a conflate={a} sample=9\n", "sample=9: a number of milliseconds from 10 to 60000"},
    {"t n a conflate={a} sample=60001\n", "10 to 60000"},
    {"t n a conflate={a} sample=-100\n", "10 to 60000"},
    {"t n a conflate={a} sample=100ms\n", "10 to 60000"},
    {"t n a conflate={a} sample=18446744073709551716\n", "10 to 60000"},
    {"t n a conflate={a} sample=100 sample=100\n", "sample= stands twice"},
    {"t n a conflate={a} sample=100 lossless\n", "contradict"},
    {"t n a lossless sample=100 conflate={a}\n", "contradict"},
    {"t - - sample=100\n", "needs conflate="},
    {"t - - lossless\n", "no meaning"},
    {"t - - require=a\n", "no meaning"},
    {"t @control - conflate={a}\n", "no meaning"},
};

START_TEST(a_bad_line_is_refused_in_one_line_that_says_where_and_why) {
    ck_assert_int_lt(parse(bad[_i].text), 0);
    ck_assert_msg(strstr(error, bad[_i].says) != NULL, "'%s' gave '%s'", bad[_i].text, error);
    ck_assert_ptr_null(strchr(error, '\n'));
    ck_assert_ptr_null(table);
}
END_TEST

START_TEST(limits_hold_at_the_edge) {
    char text[4096] = "t n r0", topic[512];

    for (unsigned i = 1; i < ROUTE_MAX_ROOMS; i++) {
        snprintf(text + strlen(text), 16, ",r%u", i);
    }
    ck_assert_int_eq(parse(text), 0);
    ck_assert_uint_eq(table->routes[0]->room_count, ROUTE_MAX_ROOMS);
    strcat(text, ",more");
    ck_assert_int_lt(parse(text), 0);
    snprintf(topic, sizeof(topic), "%0*d n a", ROUTE_TOPIC_MAX_BYTES, 7);
    ck_assert_int_eq(parse(topic), 0);
    snprintf(topic, sizeof(topic), "%0*d n a", ROUTE_TOPIC_MAX_BYTES + 1, 7);
    ck_assert_int_lt(parse(topic), 0);
    snprintf(topic, sizeof(topic), "t %0*d a", ROUTE_TYPE_MAX_BYTES + 1, 7);
    ck_assert_int_lt(parse(topic), 0);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("route_table");
    TCase *tests = tcase_create("all");

    tcase_add_checked_fixture(tests, setup, teardown);
    tcase_add_test(tests, without_a_file_the_protocol_s_nine_topics_are_routed);
    tcase_add_test(tests, options_rename_the_built_in_topics);
    tcase_add_test(tests, a_bad_or_doubled_topic_option_is_named);
    tcase_add_test(tests, a_file_replaces_the_built_in_routes);
    tcase_add_test(tests, alternatives_know_the_fields_that_they_start_from);
    tcase_add_loop_test(tests, a_bad_line_is_refused_in_one_line_that_says_where_and_why, 0,
                        (int)ARRAY_LENGTH(bad));
    tcase_add_test(tests, limits_hold_at_the_edge);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
