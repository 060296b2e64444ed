/* record_valid(): each field at its last allowed value and one beyond. */
#include "tests/shm_fixture.h"
#include "tests/unit/unit.h"

#define LENGTH 256u
#define BODY   (sizeof(struct record) + sizeof(struct record_room))

static _Alignas(8) char memory[4096];
static struct record *const record = (struct record *)(void *)memory;

static void good(void) {
    memset(memory, 0, sizeof(memory));
    record->length = LENGTH;
    record->sequence = 1;
    fixture_fill(record, RECORD_EVENT, 0, 1);
    ck_assert(record_valid(record, LENGTH));
}

START_TEST(a_record_must_lie_within_the_bytes_at_hand) {
    good();
    ck_assert(record_valid(record, LENGTH + 1));
    ck_assert(!record_valid(record, LENGTH - 1));
    ck_assert(!record_valid(record, sizeof(*record) - 1));
    ck_assert(!record_valid(record, 0));
}
END_TEST

START_TEST(a_length_is_a_multiple_of_8_and_holds_the_header) {
    static const uint32_t bad[] = {0,          8,          sizeof(struct record) - 8,
                                   LENGTH - 1, LENGTH - 4, UINT32_MAX};
    for (unsigned i = 0; i < ARRAY_LENGTH(bad); i++) {
        good();
        record->length = bad[i];
        ck_assert(!record_valid(record, sizeof(memory)));
    }
}
END_TEST

START_TEST(a_header_alone_is_a_record) {
    memset(memory, 0, sizeof(memory));
    record->length = sizeof(*record);
    record->kind = RECORD_CONTROL;
    ck_assert(record_valid(record, sizeof(*record)));
    record->room_count = 1;
    ck_assert(!record_valid(record, sizeof(*record)));
}
END_TEST

START_TEST(a_kind_is_event_history_or_control) {
    good();
    for (unsigned kind = 0; kind < 8; kind++) {
        record->kind = (uint16_t)kind;
        ck_assert_int_eq(record_valid(record, LENGTH), kind >= 2 && kind <= 4);
    }
}
END_TEST

START_TEST(rooms_are_counted_and_must_fit) {
    good();
    record->length = sizeof(memory);
    record->room_count = RECORD_MAX_ROOMS;
    record->envelope_length = 0;
    for (unsigned i = 0; i < RECORD_MAX_ROOMS; i++)
        record->rooms[i] = (struct record_room){.name_at = sizeof(memory) - 8, .name_length = 8};
    ck_assert(record_valid(record, sizeof(memory)));
    record->room_count++;
    ck_assert(!record_valid(record, sizeof(memory)));
    record->room_count = RECORD_MAX_ROOMS;
    record->length =
        (uint32_t)(sizeof(*record) + RECORD_MAX_ROOMS * sizeof(struct record_room) - 8);
    ck_assert(!record_valid(record, sizeof(memory)));
}
END_TEST

struct room_case {
    uint32_t at;
    uint16_t length, kind;
    bool valid;
};
static const struct room_case room_cases[] = {
    {BODY, 1, 0, true},
    {BODY, ROOM_NAME_MAX_BYTES, 0, true},
    {BODY, ROOM_NAME_MAX_BYTES + 1, 0, false},
    {BODY, 0, 0, false},
    {BODY - 1, 1, 0, false},
    {0, 1, 0, false},
    {LENGTH - 1, 1, 0, true},
    {LENGTH - 1, 2, 0, false},
    {LENGTH, 1, 0, false},
    {UINT32_MAX, 1, 0, false},
    {UINT32_MAX - 1, 3, 0, false},
    {BODY, 4, ROOM_KIND_COUNT - 1, true},
    {BODY, 4, ROOM_KIND_COUNT, false},
    {BODY, 4, UINT16_MAX, false},
};

START_TEST(a_room_name_lies_behind_the_rooms_and_inside_the_record) {
    const struct room_case *c = &room_cases[_i];
    good();
    record->rooms[0].name_at = c->at;
    record->rooms[0].name_length = c->length;
    record->rooms[0].kind = c->kind;
    ck_assert_int_eq(record_valid(record, LENGTH), c->valid);
}
END_TEST

struct envelope_case {
    uint32_t at, length;
    bool valid;
};
static const struct envelope_case envelope_cases[] = {
    {BODY, LENGTH - BODY, true}, {BODY, LENGTH - BODY + 1, false}, {BODY - 1, 8, false},
    {LENGTH - 1, 1, true},       {LENGTH - 1, 2, false},           {LENGTH, 1, false},
    {LENGTH, 0, true},           {LENGTH + 1, 0, false},           {0, 0, true},
    {UINT32_MAX, 8, false},      {BODY, UINT32_MAX, false},        {UINT32_MAX, UINT32_MAX, false},
};

START_TEST(an_envelope_lies_behind_the_rooms_and_inside_the_record) {
    const struct envelope_case *c = &envelope_cases[_i];
    good();
    record->envelope_at = c->at;
    record->envelope_length = c->length;
    ck_assert_int_eq(record_valid(record, LENGTH), c->valid);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("record");
    TCase *tests = tcase_create("valid");
    tcase_add_test(tests, a_record_must_lie_within_the_bytes_at_hand);
    tcase_add_test(tests, a_length_is_a_multiple_of_8_and_holds_the_header);
    tcase_add_test(tests, a_header_alone_is_a_record);
    tcase_add_test(tests, a_kind_is_event_history_or_control);
    tcase_add_test(tests, rooms_are_counted_and_must_fit);
    tcase_add_loop_test(tests, a_room_name_lies_behind_the_rooms_and_inside_the_record, 0,
                        (int)ARRAY_LENGTH(room_cases));
    tcase_add_loop_test(tests, an_envelope_lies_behind_the_rooms_and_inside_the_record, 0,
                        (int)ARRAY_LENGTH(envelope_cases));
    suite_add_tcase(suite, tests);
    return unit_run(suite);
}
