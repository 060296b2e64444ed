/* Questions and answers in workers' blocks, and the pages made of them. */
#include "http_fixture.h"
#include "tests/unit/unit.h"

#define NUMBER 77u

static struct http_fixture fixture;
static struct survey_answer answer;

static void start(void) {
    fixture_start(&fixture);
    fixture.survey_number = NUMBER;
    memset(&answer, 0, sizeof answer);
}

static void stop(void) {
    fixture_stop(&fixture);
}

static void add_row(const char *name, uint32_t count) {
    struct survey_row *row = &answer.rows[answer.count++];
    row->count = count;
    row->length = (uint16_t)strlen(name);
    memcpy(row->name, name, row->length);
    answer.total++;
}

static void put(unsigned worker) {
    survey_answer_put(&fixture.view.workers[worker]->answer, &answer, NUMBER);
    memset(&answer, 0, sizeof answer);
}

static const char *name_at(cJSON *json, int index) {
    return cJSON_GetObjectItem(cJSON_GetArrayItem(fixture_node(json, "rooms"), index), "room")
        ->valuestring;
}

static double listeners_at(cJSON *json, int index) {
    return cJSON_GetObjectItem(cJSON_GetArrayItem(fixture_node(json, "rooms"), index), "listeners")
        ->valuedouble;
}

START_TEST(rooms_of_both_workers_are_added_up_and_stand_largest_first) {
    add_row("a", 5);
    add_row("b", 7);
    put(0);
    add_row("c", 8);
    add_row("a", 4);
    put(1);
    cJSON *json = fixture_json(&fixture, "GET /debug/subscriptions", 200);
    ck_assert_int_eq(cJSON_GetArraySize(fixture_node(json, "rooms")), 3);
    ck_assert_str_eq(name_at(json, 0), "a");
    ck_assert(listeners_at(json, 0) == 9);
    ck_assert_str_eq(name_at(json, 1), "c");
    ck_assert_str_eq(name_at(json, 2), "b");
    ck_assert(cJSON_IsTrue(fixture_node(json, "covers.whole")));
    ck_assert_ptr_null(cJSON_GetObjectItem(json, "next"));
    cJSON_Delete(json);
}
END_TEST

START_TEST(rooms_of_one_size_stand_by_name_and_pages_go_on_behind_the_last) {
    add_row("b", 1);
    add_row("a", 1);
    put(0);
    add_row("c", 1);
    put(1);
    cJSON *json = fixture_json(&fixture, "GET /debug/subscriptions?limit=2", 200);
    ck_assert_str_eq(name_at(json, 0), "a");
    ck_assert_str_eq(name_at(json, 1), "b");
    ck_assert_str_eq(fixture_node(json, "next")->valuestring, "1:b");
    cJSON_Delete(json);
    json = fixture_json(&fixture, "GET /debug/subscriptions?limit=2&after=1:b", 200);
    ck_assert_int_eq(cJSON_GetArraySize(fixture_node(json, "rooms")), 1);
    ck_assert_str_eq(name_at(json, 0), "c");
    cJSON_Delete(json);
}
END_TEST

START_TEST(a_worker_without_an_answer_or_with_more_than_it_told_makes_it_not_whole) {
    add_row("a", 1);
    put(0);
    cJSON *json = fixture_json(&fixture, "GET /debug/subscriptions", 200);
    ck_assert(cJSON_IsFalse(fixture_node(json, "covers.whole")));
    cJSON_Delete(json);
    answer.total = 300;
    put(1);
    json = fixture_json(&fixture, "GET /debug/subscriptions", 200);
    ck_assert(cJSON_IsFalse(fixture_node(json, "covers.whole")));
    cJSON_Delete(json);
    put(1);
    json = fixture_json(&fixture, "GET /debug/subscriptions", 200);
    ck_assert(cJSON_IsTrue(fixture_node(json, "covers.whole")));
    cJSON_Delete(json);
}
END_TEST

START_TEST(an_answer_to_another_question_or_worker_or_with_impossible_lengths_is_none) {
    struct survey_answer *shared = &fixture.view.workers[0]->answer, copy;
    add_row("a", 1);
    put(0);
    ck_assert(survey_answer_read(shared, 0, NUMBER, &copy));
    ck_assert(!survey_answer_read(shared, 0, NUMBER + 1, &copy));
    ck_assert(!survey_answer_read(shared, 1, NUMBER, &copy));
    shared->count = SURVEY_ROWS + 1;
    ck_assert(!survey_answer_read(shared, 0, NUMBER, &copy));
    shared->count = 1;
    shared->rows[0].length = SURVEY_NAME_BYTES + 1;
    ck_assert(!survey_answer_read(shared, 0, NUMBER, &copy));
    shared->rows[0].length = SURVEY_NAME_BYTES;
    ck_assert(survey_answer_read(shared, 0, NUMBER, &copy));
}
END_TEST

START_TEST(a_question_is_read_while_it_is_open) {
    struct survey_question *shared = &fixture.view.workers[1]->question, copy;
    struct survey_question question = {.kind = SURVEY_USER, .length = 3, .text = "ann"};
    ck_assert(!survey_question_read(shared, &copy));
    survey_ask(shared, &question, 5);
    ck_assert(survey_question_read(shared, &copy));
    ck_assert_uint_eq(load_relaxed(&copy.number), 5);
    ck_assert_uint_eq(copy.kind, SURVEY_USER);
    ck_assert(span_is((struct span){copy.text, copy.length}, "ann"));
    shared->length = SURVEY_TEXT_BYTES + 1;
    ck_assert(!survey_question_read(shared, &copy));
    shared->length = 3;
    survey_end(shared);
    ck_assert(!survey_question_read(shared, &copy));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("subscriptions");
    TCase *all = tcase_create("all");
    tcase_add_checked_fixture(all, start, stop);
    tcase_add_test(all, rooms_of_both_workers_are_added_up_and_stand_largest_first);
    tcase_add_test(all, rooms_of_one_size_stand_by_name_and_pages_go_on_behind_the_last);
    tcase_add_test(all, a_worker_without_an_answer_or_with_more_than_it_told_makes_it_not_whole);
    tcase_add_test(all, an_answer_to_another_question_or_worker_or_with_impossible_lengths_is_none);
    tcase_add_test(all, a_question_is_read_while_it_is_open);
    suite_add_tcase(suite, all);
    return unit_run(suite);
}
