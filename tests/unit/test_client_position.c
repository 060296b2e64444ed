/* What moonx-client keeps of the server's positions, and how events move it. */
#include "gateway/client/client_position.h"
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

static struct client_position *position;

static void make(void) {
    ck_assert_int_eq(client_position_new(&position), 0);
}

static void drop(void) {
    client_position_free(position);
}

static int set(const char *text) {
    struct json_value told;
    ck_assert_int_eq(json_check(span_of(text), &told, NULL), JSON_OK);
    return client_position_set(position, told);
}

static void ck_text(const char *expected) {
    char *text = NULL;
    ck_assert_int_eq(client_position_text(position, &text), 0);
    ck_assert_str_eq(text, expected);
    free(text);
}

#define TOLD "{\"epoch\":\"1\",\"topics\":{\"order.updates\":[41,-1,7],\"b\":[]}}"

START_TEST(nothing_is_known_at_first) {
    char *text = NULL;
    ck_assert(!client_position_known(position));
    ck_assert_int_eq(client_position_text(position, &text), -ENOENT);
    client_position_move(position, span_of("order.updates:0:5"));
    ck_assert(!client_position_known(position));
}
END_TEST

START_TEST(what_the_server_told_is_given_back) {
    ck_assert_int_eq(set(TOLD), 0);
    ck_assert(client_position_known(position));
    ck_text(TOLD);
    ck_assert_int_eq(set("{\"topics\":{},\"epoch\":\"x\",\"more\":1}"), 0);
    ck_text("{\"epoch\":\"x\",\"topics\":{}}");
    client_position_clear(position);
    ck_assert(!client_position_known(position));
}
END_TEST

START_TEST(an_event_moves_its_partition_on_and_never_back) {
    ck_assert_int_eq(set(TOLD), 0);
    client_position_move(position, span_of("order.updates:1:0"));
    client_position_move(position, span_of("order.updates:0:40"));
    client_position_move(position, span_of("order.updates:2:9223372036854775807"));
    ck_text("{\"epoch\":\"1\",\"topics\":{\"order.updates\":[41,0,9223372036854775807],\"b\":[]}}");
}
END_TEST

START_TEST(a_new_partition_is_added_and_a_topic_that_is_not_named_is_not) {
    ck_assert_int_eq(set(TOLD), 0);
    client_position_move(position, span_of("b:2:9"));
    client_position_move(position, span_of("other:0:9"));
    ck_text("{\"epoch\":\"1\",\"topics\":{\"order.updates\":[41,-1,7],\"b\":[-1,-1,9]}}");
}
END_TEST

START_TEST(an_id_that_is_no_events_moves_nothing) {
    static const char *const ids[] = {"",
                                      "b",
                                      "b:1",
                                      "b::1",
                                      "b:1:",
                                      "b:-1:1",
                                      "b:0:-1",
                                      "b:0:1x",
                                      "b:0:9223372036854775808",
                                      "b:20000:1",
                                      "b:99999999999999999999:1",
                                      ":0:1"};
    ck_assert_int_eq(set(TOLD), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(ids); i++) {
        client_position_move(position, span_of(ids[i]));
    }
    ck_text(TOLD);
    client_position_move(position, (struct span){NULL, 0});
}
END_TEST

START_TEST(what_is_no_position_is_refused_and_leaves_the_old_one) {
    static const char *const wrong[] = {
        "1",
        "{}",
        "{\"epoch\":1,\"topics\":{}}",
        "{\"epoch\":\"\",\"topics\":{}}",
        "{\"epoch\":\"a\\\"b\",\"topics\":{}}",
        "{\"epoch\":\"1\",\"topics\":[]}",
        "{\"epoch\":\"1\",\"epoch\":\"1\",\"topics\":{}}",
        "{\"epoch\":\"1\",\"topics\":{\"a\":1}}",
        "{\"epoch\":\"1\",\"topics\":{\"a\":[\"1\"]}}",
        "{\"epoch\":\"1\",\"topics\":{\"a\":[-2]}}",
        "{\"epoch\":\"1\",\"topics\":{\"a\":[1.5]}}",
        "{\"epoch\":\"1\",\"topics\":{\"a\":[1e3]}}",
        "{\"epoch\":\"1\",\"topics\":{\"a\":[9223372036854775808]}}",
        "{\"epoch\":\"1\",\"topics\":{\"a\":[null]}}",
        "{\"epoch\":\"1\",\"topics\":{\"a\":[1],\"a\":[2]}}",
        "{\"epoch\":\"1\",\"topics\":{\"\":[1]}}",
        "{\"epoch\":\"1\",\"topics\":{\"a\\u0022\":[1]}}",
    };
    ck_assert_int_eq(set(TOLD), 0);
    for (size_t i = 0; i < ARRAY_LENGTH(wrong); i++) {
        ck_assert_msg(set(wrong[i]) == -EINVAL, "%s", wrong[i]);
    }
    ck_text(TOLD);
}
END_TEST

START_TEST(more_topics_or_partitions_than_there_can_be_are_refused) {
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    fputs("{\"epoch\":\"1\",\"topics\":{\"a\":[0", out);
    for (unsigned i = 1; i < CLIENT_POSITION_MAX_PARTITIONS; i++) {
        fputs(",0", out);
    }
    fputs("],\"b\":[]}}", out);
    fclose(out);
    ck_assert_int_eq(set(text), 0);
    client_position_move(position, span_of("b:0:1")); /* no room for it */
    char *after = NULL;
    ck_assert_int_eq(client_position_text(position, &after), 0);
    ck_assert_str_eq(after, text);
    free(after);
    free(text);
    out = open_memstream(&text, &size);
    fputs("{\"epoch\":\"1\",\"topics\":{", out);
    for (unsigned i = 0; i <= CLIENT_POSITION_MAX_TOPICS; i++) {
        fprintf(out, "%s\"t%u\":[]", i == 0 ? "" : ",", i);
    }
    fputs("}}", out);
    fclose(out);
    ck_assert_int_eq(set(text), -EINVAL);
    free(text);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("client_position");
    TCase *tests = tcase_create("client_position");
    tcase_add_checked_fixture(tests, make, drop);
    tcase_add_test(tests, nothing_is_known_at_first);
    tcase_add_test(tests, what_the_server_told_is_given_back);
    tcase_add_test(tests, an_event_moves_its_partition_on_and_never_back);
    tcase_add_test(tests, a_new_partition_is_added_and_a_topic_that_is_not_named_is_not);
    tcase_add_test(tests, an_id_that_is_no_events_moves_nothing);
    tcase_add_test(tests, what_is_no_position_is_refused_and_leaves_the_old_one);
    tcase_add_test(tests, more_topics_or_partitions_than_there_can_be_are_refused);
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
