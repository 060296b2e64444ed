/* The room index and the walk along it: every record of a room, newest first, and nobody else's. */
#include "shm/room_walk.h"
#include "tests/shm_fixture.h"
#include "tests/unit/unit.h"

#define CAPACITY 4096u
#define PLAIN    (1u << ROOM_PLAIN)

static struct segment segment;
static struct ring_append writer;

static void start_at(uint64_t position) {
    fixture_open(&segment, CAPACITY, 2);
    if (position != 0)
        fixture_preset(&segment, position, 7);
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
}

static void setup(void) {
    start_at(0);
}

static void teardown(void) {
    ring_append_done(&writer);
    fixture_close(&segment);
}

struct room {
    uint64_t hash;
    const char *name;
    enum room_kind kind;
};

/* A record in these rooms; not yet published. Its position. */
static uint64_t append_flagged(int64_t offset, const struct room *rooms, unsigned count,
                               uint16_t flags) {
    size_t body = sizeof(struct record) + count * sizeof(struct record_room);
    size_t names = 0;
    for (unsigned i = 0; i < count; i++)
        names += strlen(rooms[i].name);
    struct record *record = ring_append_reserve(&writer, body + names);
    ck_assert_ptr_nonnull(record);
    memset((char *)record + 16, 0, record->length - 16);
    record->kind = RECORD_EVENT;
    record->flags = flags;
    record->offset = offset;
    record->partition = 0;
    record->room_count = (uint16_t)count;
    size_t at = body;
    for (unsigned i = 0; i < count; i++) {
        size_t length = strlen(rooms[i].name);
        record->rooms[i] = (struct record_room){.hash = rooms[i].hash,
                                                .name_at = (uint32_t)at,
                                                .name_length = (uint16_t)length,
                                                .kind = (uint16_t)rooms[i].kind};
        memcpy((char *)record + at, rooms[i].name, length);
        at += length;
    }
    uint64_t position = writer.reserved;
    ring_append_commit(&writer);
    return position;
}

static uint64_t append(int64_t offset, const struct room *rooms, unsigned count) {
    return append_flagged(offset, rooms, count, 0);
}

static uint64_t put(int64_t offset, const struct room *rooms, unsigned count) {
    uint64_t position = append(offset, rooms, count);
    ring_append_publish(&writer);
    return position;
}

/* Walks to the end; the offsets as text, "!" for lapped, "?" for damaged. */
static const char *walked_chain(const struct room *room, unsigned kinds, uint64_t stop,
                                enum room_chain chain) {
    static char text[1024];
    struct room_walk walk;
    struct room_hit hit;
    size_t used = 0;
    int result;
    room_walk_start(&walk, &segment, room->hash, span_of(room->name), kinds, chain);
    text[0] = '\0';
    while ((result = room_walk_next(&walk, stop, &hit)) == ROOM_WALK_HIT)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%lld ", (long long)hit.offset);
    if (result != ROOM_WALK_END)
        snprintf(text + used, sizeof(text) - used, result == ROOM_WALK_LAPPED ? "!" : "?");
    return text;
}

static const char *walked(const struct room *room, unsigned kinds, uint64_t stop) {
    return walked_chain(room, kinds, stop, ROOM_CHAIN_EVENTS);
}

static const struct room a = {1, "a", ROOM_PLAIN}, b = {2, "b", ROOM_PLAIN};
/* The same bucket as a: 64 buckets. */
static const struct room c = {1 + 64, "c", ROOM_PLAIN}, d = {1 + 128, "d", ROOM_PLAIN};

START_TEST(a_room_nobody_has_used_is_empty) {
    ck_assert_str_eq(walked(&a, PLAIN, 0), "");
}
END_TEST

START_TEST(records_come_newest_first_over_publishes_and_within_one) {
    put(1, &a, 1);
    append(2, &a, 1);
    append(3, &b, 1);
    append(4, &a, 1);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "1 "); /* committed only */
    ring_append_publish(&writer);
    put(5, &a, 1);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "5 4 2 1 ");
    ck_assert_str_eq(walked(&b, PLAIN, 0), "3 ");
}
END_TEST

START_TEST(two_rooms_of_a_record_may_share_a_bucket) {
    const struct room both[] = {a, c}, all[] = {c, d, a};
    put(1, &a, 1);
    put(2, both, 2);
    put(3, &c, 1);
    append(4, all, 3);
    append(5, both, 2);
    ring_append_publish(&writer);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "5 4 2 1 ");
    ck_assert_str_eq(walked(&c, PLAIN, 0), "5 4 3 2 ");
    ck_assert_str_eq(walked(&d, PLAIN, 0), "4 ");
}
END_TEST

static uint64_t put_value(int64_t offset, const struct room *rooms, unsigned count) {
    uint64_t position = append_flagged(offset, rooms, count, RECORD_FLAG_CONFLATED);
    ring_append_publish(&writer);
    return position;
}

START_TEST(who_looks_for_a_rooms_events_does_not_cross_its_values) {
    struct room_walk walk;
    struct room_hit hit;
    const struct room both[] = {a, b};
    put(1, &a, 1);
    for (int i = 2; i < 9; i++) {
        put_value(i, both, 2);
    }
    put(9, &a, 1);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "9 1 ");
    ck_assert_str_eq(walked(&b, PLAIN, 0), "");
    ck_assert_str_eq(walked_chain(&a, PLAIN, 0, ROOM_CHAIN_VALUES), "8 7 6 5 4 3 2 ");
    ck_assert_str_eq(walked_chain(&b, PLAIN, 0, ROOM_CHAIN_VALUES), "8 7 6 5 4 3 2 ");
    room_walk_start(&walk, &segment, a.hash, SPAN_LITERAL("a"), PLAIN, ROOM_CHAIN_EVENTS);
    while (room_walk_next(&walk, 0, &hit) == ROOM_WALK_HIT) {
        ck_assert_uint_eq(hit.flags, 0);
    }
    ck_assert_uint_eq(walk.hops, 2);
}
END_TEST

START_TEST(a_walk_pauses_at_its_budget_and_goes_on_when_that_is_raised) {
    struct room_walk walk;
    struct room_hit hit;
    put(1, &a, 1);
    put(2, &c, 1); /* in the same bucket */
    put(3, &c, 1);
    put(4, &a, 1);
    room_walk_start(&walk, &segment, a.hash, SPAN_LITERAL("a"), PLAIN, ROOM_CHAIN_EVENTS);
    walk.most = 2;
    ck_assert_int_eq(room_walk_next(&walk, 0, &hit), ROOM_WALK_HIT);
    ck_assert_int_eq(room_walk_next(&walk, 0, &hit), ROOM_WALK_PAUSED); /* others count as well */
    ck_assert_uint_eq(walk.hops, 2);
    walk.most = 4;
    ck_assert_int_eq(room_walk_next(&walk, 0, &hit), ROOM_WALK_HIT);
    ck_assert_int_eq(hit.offset, 1);
    ck_assert_int_eq(room_walk_next(&walk, 0, &hit), ROOM_WALK_END);
}
END_TEST

START_TEST(a_bucket_that_holds_one_rooms_values_and_anothers_events_keeps_them_apart) {
    /* events of `other` lie where the values of a do */
    const struct room other = {room_index_hash(1, ROOM_CHAIN_VALUES), "a", ROOM_PLAIN};
    ck_assert_uint_ne(room_index_slot(&segment, room_index_hash(1, ROOM_CHAIN_VALUES)),
                      room_index_slot(&segment, 1));
    put(1, &other, 1);
    put_value(2, &a, 1);
    put(3, &other, 1);
    put(4, &a, 1);
    put_value(5, &a, 1);
    ck_assert_str_eq(walked(&other, PLAIN, 0), "3 1 ");
    ck_assert_str_eq(walked_chain(&a, PLAIN, 0, ROOM_CHAIN_VALUES), "5 2 ");
    ck_assert_str_eq(walked(&a, PLAIN, 0), "4 ");
    /* and with a slot of their own from here on */
    ck_assert_int_eq(room_index_add_own(&segment, room_index_hash(1, ROOM_CHAIN_VALUES)), 0);
    put_value(6, &a, 1);
    put(7, &a, 1);
    ck_assert_str_eq(walked_chain(&a, PLAIN, 0, ROOM_CHAIN_VALUES), "6 5 2 ");
    ck_assert_str_eq(walked(&a, PLAIN, 0), "7 4 ");
}
END_TEST

START_TEST(a_name_decides_where_hashes_are_equal) {
    const struct room other = {1, "A", ROOM_PLAIN}, longer = {1, "aa", ROOM_PLAIN};
    put(1, &a, 1);
    put(2, &other, 1);
    put(3, &longer, 1);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "1 ");
    ck_assert_str_eq(walked(&other, PLAIN, 0), "2 ");
    ck_assert_str_eq(walked(&longer, PLAIN, 0), "3 ");
}
END_TEST

START_TEST(one_walk_takes_the_kinds_that_are_asked_for) {
    const struct room orders = {9, "42", ROOM_ORDERS}, user = {9, "42", ROOM_USER};
    const struct room plain = {9, "42", ROOM_PLAIN}, two[] = {orders, user};
    put(1, &orders, 1);
    put(2, &user, 1);
    put(3, &plain, 1);
    put(4, two, 2);
    ck_assert_str_eq(walked(&orders, 1u << ROOM_ORDERS, 0), "4 1 ");
    ck_assert_str_eq(walked(&orders, 1u << ROOM_ORDERS | 1u << ROOM_USER, 0), "4 2 1 ");
    ck_assert_str_eq(walked(&orders, PLAIN, 0), "3 ");
    ck_assert_str_eq(walked(&orders, 0, 0), "");
}
END_TEST

START_TEST(a_walk_stops_at_the_position_asked_for) {
    put(1, &a, 1);
    uint64_t second = put(2, &a, 1);
    put(3, &a, 1);
    ck_assert_str_eq(walked(&a, PLAIN, second), "3 2 ");
    ck_assert_str_eq(walked(&a, PLAIN, second + 1), "3 ");
    ck_assert_str_eq(walked(&a, PLAIN, UINT64_MAX), "");
}
END_TEST

START_TEST(a_walk_says_when_the_ring_has_lapped_it) {
    put(1, &a, 1);
    uint64_t second = put(2, &a, 1);
    while (load_relaxed(&segment.words->intent) <= CAPACITY)
        put(9, &b, 1);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "2 !");
    ck_assert_str_eq(walked(&a, PLAIN, second), "2 ");
    while (load_relaxed(&segment.words->intent) <= CAPACITY + second)
        put(9, &b, 1);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "!");
    ck_assert_str_eq(walked(&a, PLAIN, second + 1), "");
}
END_TEST

START_TEST(a_ring_beyond_2_to_the_63_is_walked_like_any_other) {
    teardown();
    start_at((1ull << 63) - 512);
    for (int i = 0; i < 12; i++)
        put(i, &a, 1);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "11 10 9 8 7 6 5 4 3 2 1 0 ");
}
END_TEST

START_TEST(a_room_with_a_slot_of_its_own_crosses_nobody) {
    put(1, &a, 1);
    put(2, &c, 1);
    ck_assert_int_eq(room_index_add_own(&segment, a.hash), 0);
    ck_assert_int_eq(room_index_add_own(&segment, a.hash), 0); /* again: the same */
    const struct room both[] = {a, c}, turned[] = {c, a};
    put(3, &a, 1);
    put(4, &c, 1);
    put(5, both, 2);
    put(6, turned, 2);
    put(7, &a, 1);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "7 6 5 3 1 ");
    ck_assert_str_eq(walked(&c, PLAIN, 0), "6 5 4 2 ");
    struct room_walk walk;
    struct room_hit hit;
    room_walk_start(&walk, &segment, c.hash, SPAN_LITERAL("c"), PLAIN, ROOM_CHAIN_EVENTS);
    while (room_walk_next(&walk, 0, &hit) == ROOM_WALK_HIT)
        ;
    ck_assert_uint_eq(walk.hops, 5); /* 6 5 4 2, and 1 from before a had its own */
}
END_TEST

START_TEST(two_rooms_of_one_bucket_may_get_slots_at_different_times) {
    const struct room all[] = {a, c, d};
    put(1, all, 3);
    ck_assert_int_eq(room_index_add_own(&segment, a.hash), 0);
    put(2, all, 3);
    put(3, &d, 1);
    ck_assert_int_eq(room_index_add_own(&segment, c.hash), 0);
    put(4, all, 3);
    put(5, &c, 1);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "4 2 1 ");
    ck_assert_str_eq(walked(&c, PLAIN, 0), "5 4 2 1 ");
    ck_assert_str_eq(walked(&d, PLAIN, 0), "4 3 2 1 ");
}
END_TEST

START_TEST(slots_of_their_own_are_bounded_and_the_rest_stays_in_buckets) {
    for (uint64_t i = 1; i <= ROOM_INDEX_OWN / 2; i++)
        ck_assert_int_eq(room_index_add_own(&segment, i * 512), 0);
    ck_assert_int_eq(room_index_add_own(&segment, 5), -ENOSPC);
    ck_assert_int_eq(room_index_add_own(&segment, 0), -ENOSPC);
    ck_assert_int_eq(room_index_add_own(&segment, 512), 0); /* has one */
    put(1, &a, 1);
    ck_assert_str_eq(walked(&a, PLAIN, 0), "1 ");
}
END_TEST

START_TEST(a_successor_heads_what_its_predecessor_had_only_published) {
    put(1, &a, 1);
    uint64_t before = load_relaxed(&segment.words->published);
    append(2, &a, 1);
    append(3, &c, 1);
    append(4, &a, 1);
    ring_append_publish(&writer);
    shm_u64 *head = &segment.rooms->heads[room_index_slot(&segment, a.hash)];
    uint64_t newest = load_relaxed(head);
    const uint64_t left[] = {1, 1 + before, newest}; /* killed before, within and after */
    for (unsigned i = 0; i < ARRAY_LENGTH(left); i++) {
        store_relaxed(head, left[i]);
        store_relaxed(&segment.words->indexed, before);
        ring_append_done(&writer);
        ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
        ck_assert_uint_eq(load_relaxed(head), newest);
        ck_assert_uint_eq(room_walk_indexed(&segment), load_relaxed(&segment.words->published));
        ck_assert_str_eq(walked(&a, PLAIN, 0), "4 2 1 ");
        ck_assert_str_eq(walked(&c, PLAIN, 0), "3 ");
    }
}
END_TEST

START_TEST(more_rooms_than_are_remembered_make_a_publish_of_their_own) {
    teardown();
    fixture_open(&segment, 4u << 20, 1);
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
    struct room many[RECORD_MAX_ROOMS];
    for (unsigned n = 0; n < 3 * RING_PENDING_FULL / RECORD_MAX_ROOMS; n++) {
        for (unsigned i = 0; i < RECORD_MAX_ROOMS; i++)
            many[i] = (struct room){1000 + n * RECORD_MAX_ROOMS + i, "x", ROOM_PLAIN};
        many[0] = a;
        append(n, many, RECORD_MAX_ROOMS);
        ck_assert_uint_lt(writer.pending->count, RING_PENDING_FULL + RECORD_MAX_ROOMS);
    }
    ck_assert_uint_gt(load_relaxed(&segment.words->published), 0);
    ring_append_publish(&writer);
    struct room_walk walk;
    struct room_hit hit;
    unsigned found = 0;
    room_walk_start(&walk, &segment, a.hash, SPAN_LITERAL("a"), PLAIN, ROOM_CHAIN_EVENTS);
    while (room_walk_next(&walk, 0, &hit) == ROOM_WALK_HIT)
        found++;
    ck_assert_uint_eq(found, 3 * RING_PENDING_FULL / RECORD_MAX_ROOMS);
}
END_TEST

START_TEST(what_is_remembered_survives_a_wrapped_generation) {
    struct ring_pending *pending = ring_pending_new();
    pending->generation = UINT32_MAX;
    ring_pending_set(pending, 3, 77);
    ck_assert_uint_eq(ring_pending_get(pending, 3), 77);
    ring_pending_clear(pending);
    ck_assert_uint_eq(ring_pending_get(pending, 3), 0);
    ring_pending_set(pending, 3, 78);
    ring_pending_set(pending, 3 + RING_PENDING_PLACES, 79); /* the same place */
    ck_assert_uint_eq(ring_pending_get(pending, 3), 78);
    ck_assert_uint_eq(ring_pending_get(pending, 3 + RING_PENDING_PLACES), 79);
    free(pending);
}
END_TEST

/* A record that lies in the ring as the walk would need it, with one thing wrong. */
START_TEST(a_damaged_record_ends_the_walk) {
    put(1, &a, 1);
    uint64_t at = put(2, &a, 1);
    struct record *record = (void *)(segment.ring + at);
    switch (_i) {
    case 0:
        record->rooms[0].previous = at + 1; /* does not fall */
        break;
    case 1:
        record->rooms[0].previous = 1 + 4; /* no record begins there */
        ck_assert_str_eq(walked(&a, PLAIN, 0), "2 ?");
        return;
    case 2:
        record->rooms[0].slot++; /* not in the chain */
        break;
    case 3:
        record->room_count = 0;
        break;
    case 4:
        record->room_count = RECORD_MAX_ROOMS + 1;
        break;
    case 5:
        record->length = CAPACITY * 2;
        break;
    case 6:
        record->kind = RECORD_PAD;
        break;
    case 7:
        record->rooms[0].name_at = UINT32_MAX; /* no match, but no read either */
        ck_assert_str_eq(walked(&a, PLAIN, 0), "1 ");
        return;
    default:
        store_relaxed(&segment.rooms->heads[room_index_slot(&segment, a.hash)], CAPACITY - 8 + 1);
    }
    ck_assert_str_eq(walked(&a, PLAIN, 0), "?");
}
END_TEST

START_TEST(a_record_can_be_read_at_a_place_that_the_index_tells) {
    struct ring_read reader;
    const struct record *record = NULL;
    ck_assert_int_eq(ring_read_init(&reader, &segment), 0);
    uint64_t first = put(1, &a, 1), second = put(2, &b, 1);
    ck_assert_int_eq(ring_read_at(&reader, second, &record), RING_OK);
    ck_assert_int_eq(record->offset, 2);
    ck_assert_int_eq(ring_read_at(&reader, first, &record), RING_OK);
    ck_assert_int_eq(record->offset, 1);
    ck_assert_int_eq(ring_read_at(&reader, second + 4, &record), -EBADMSG);
    ck_assert_int_eq(ring_read_at(&reader, load_relaxed(&segment.words->published), &record),
                     -EBADMSG);
    while (load_relaxed(&segment.words->intent) <= CAPACITY)
        put(9, &b, 1);
    ck_assert_int_eq(ring_read_at(&reader, first, &record), RING_LAPPED);
    ring_read_done(&reader);
}
END_TEST

START_TEST(buckets_follow_the_size_of_the_ring) {
    ck_assert_uint_eq(room_index_buckets(4096), 64);
    ck_assert_uint_eq(room_index_buckets(1u << 20), 8192);
    ck_assert_uint_eq(room_index_buckets(256u << 20), 2u << 20);
    ck_assert_uint_eq(room_index_buckets(1ull << 40), 4u << 20);
}
END_TEST

int main(void) {
    Suite *suite = suite_create("room_index");
    TCase *tcase = tcase_create("room_index");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_room_nobody_has_used_is_empty);
    tcase_add_test(tcase, records_come_newest_first_over_publishes_and_within_one);
    tcase_add_test(tcase, two_rooms_of_a_record_may_share_a_bucket);
    tcase_add_test(tcase, who_looks_for_a_rooms_events_does_not_cross_its_values);
    tcase_add_test(tcase,
                   a_bucket_that_holds_one_rooms_values_and_anothers_events_keeps_them_apart);
    tcase_add_test(tcase, a_walk_pauses_at_its_budget_and_goes_on_when_that_is_raised);
    tcase_add_test(tcase, a_name_decides_where_hashes_are_equal);
    tcase_add_test(tcase, one_walk_takes_the_kinds_that_are_asked_for);
    tcase_add_test(tcase, a_walk_stops_at_the_position_asked_for);
    tcase_add_test(tcase, a_walk_says_when_the_ring_has_lapped_it);
    tcase_add_test(tcase, a_ring_beyond_2_to_the_63_is_walked_like_any_other);
    tcase_add_test(tcase, a_room_with_a_slot_of_its_own_crosses_nobody);
    tcase_add_test(tcase, two_rooms_of_one_bucket_may_get_slots_at_different_times);
    tcase_add_test(tcase, slots_of_their_own_are_bounded_and_the_rest_stays_in_buckets);
    tcase_add_test(tcase, a_successor_heads_what_its_predecessor_had_only_published);
    tcase_add_test(tcase, more_rooms_than_are_remembered_make_a_publish_of_their_own);
    tcase_add_test(tcase, what_is_remembered_survives_a_wrapped_generation);
    tcase_add_loop_test(tcase, a_damaged_record_ends_the_walk, 0, 9);
    tcase_add_test(tcase, a_record_can_be_read_at_a_place_that_the_index_tells);
    tcase_add_test(tcase, buckets_follow_the_size_of_the_ring);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
