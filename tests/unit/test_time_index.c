/* The time index: where in the ring the records from an offset on lie; and which topics feed which rooms. */
#include "shm/feed_table.h"
#include "shm/time_index.h"
#include "tests/shm_fixture.h"
#include "tests/unit/unit.h"

#define CAPACITY 4096u /* 8 stretches of 512 bytes */
#define LENGTH   256u

static struct segment segment;
static struct ring_append writer;

static void setup(void) {
    fixture_open(&segment, CAPACITY, 2);
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
}

static void teardown(void) {
    ring_append_done(&writer);
    fixture_close(&segment);
}

static void put(uint32_t partition, int64_t offset) {
    fixture_append(&writer, LENGTH, partition, offset);
    ring_append_publish(&writer);
}

static void put_many(uint32_t partition, int64_t from, int64_t to) {
    for (int64_t i = from; i < to; i++)
        put(partition, i);
}

static uint64_t find(uint32_t partition, uint64_t start, uint64_t want) {
    uint64_t position = UINT64_MAX;
    if (!time_index_find(&segment, partition, start, want, &position))
        return UINT64_MAX;
    return position;
}

START_TEST(an_empty_ring_has_all_that_ever_was) {
    ck_assert_uint_eq(find(0, 5, 5), 0);
    ck_assert_uint_eq(find(0, 5, 9), 0);
    ck_assert_uint_eq(find(0, 5, 4), UINT64_MAX);
}
END_TEST

START_TEST(an_offset_leads_to_its_stretch) {
    put_many(0, 0, 12); /* two a stretch */
    ck_assert_uint_eq(find(0, 0, 0), 0);
    ck_assert_uint_eq(find(0, 0, 1), 0);
    ck_assert_uint_eq(find(0, 0, 2), 512);
    ck_assert_uint_eq(find(0, 0, 3), 512);
    ck_assert_uint_eq(find(0, 0, 11), 5 * 512);
    ck_assert_uint_eq(find(0, 0, 12), 5 * 512); /* nothing missed: the newest there is */
}
END_TEST

START_TEST(a_quiet_partition_costs_no_walk) {
    put_many(1, 0, 3);
    put_many(0, 0, 10);
    ck_assert_uint_eq(find(1, 0, 3), 12 / 2 * 512);
    ck_assert_uint_eq(find(1, 0, 2), 512);
}
END_TEST

START_TEST(what_has_been_written_over_is_too_old) {
    put_many(0, 0, 40); /* two laps and a half: 24..39 are there */
    ck_assert_uint_eq(find(0, 0, 39), 19 * 512);
    ck_assert_uint_eq(find(0, 0, 24), 12 * 512);
    ck_assert_uint_eq(find(0, 0, 23), UINT64_MAX);
    ck_assert_uint_eq(find(0, 0, 0), UINT64_MAX);
    ck_assert_ptr_nonnull(
        ring_append_reserve(&writer, LENGTH)); /* announced is as good as written */
    ck_assert_uint_eq(find(0, 0, 24), UINT64_MAX);
    ck_assert_uint_eq(find(0, 0, 26), 13 * 512);
}
END_TEST

START_TEST(a_partition_that_came_later_begins_at_its_start) {
    put_many(0, 0, 4);
    int late = positions_intern(segment.positions, SPAN_LITERAL("trades"), 7);
    put_many(0, 4, 6); /* its start is not known yet */
    store_relaxed(&segment.positions->partitions[late].next, 100);
    put_many(0, 6, 8);
    put_many((uint32_t)late, 100, 104);
    ck_assert_uint_eq(find((uint32_t)late, 100, 104), 5 * 512);
    ck_assert_uint_eq(find((uint32_t)late, 100, 100), 4 * 512);
    ck_assert_uint_eq(find((uint32_t)late, 100, 99), UINT64_MAX);
}
END_TEST

START_TEST(a_record_longer_than_a_stretch_leaves_no_stale_place) {
    put_many(0, 0, 16); /* a whole lap */
    fixture_append(&writer, 512, 0, 16);
    ring_append_publish(&writer);
    put_many(0, 17, 19);
    fixture_append(&writer, 512, 0, 19);
    ring_append_publish(&writer);
    ck_assert_uint_eq(find(0, 0, 19), CAPACITY + 1024);
    ck_assert_uint_eq(find(0, 0, 16), CAPACITY);
    ck_assert_uint_eq(find(0, 0, 15), 7 * 512);
}
END_TEST

START_TEST(a_topic_made_anew_is_searched_behind_its_beginning) {
    put_many(0, 1000, 1005);
    store_relaxed(&segment.positions->partitions[0].next, 0);
    put_many(0, 0, 7);
    ck_assert_uint_eq(find(0, 1000, 5), 5 * 512); /* 4: the stretch before began with offset 3 */
    ck_assert_uint_eq(find(0, 1000, 0), 2 * 512); /* in it, the offsets went back */
}
END_TEST

START_TEST(a_stretch_is_written_once_even_when_its_record_is_redone) {
    put_many(0, 0, 4);
    uint64_t before = find(0, 0, 2);
    store_relaxed(&segment.words->indexed, 512);
    store_relaxed(&segment.positions->partitions[0].next, 4);
    ring_append_done(&writer);
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
    ck_assert_uint_eq(find(0, 0, 2), before);
    ck_assert_uint_eq(find(0, 0, 3), before);
    store_relaxed(&segment.times->first[1], 0); /* killed while it was written */
    store_relaxed(&segment.words->indexed, 512);
    store_relaxed(&segment.positions->partitions[0].next, 2);
    ck_assert_uint_eq(find(0, 0, 2), 0); /* none: then an older one, never a wrong one */
    ring_append_done(&writer);
    ck_assert_int_eq(ring_append_open(&writer, &segment), 0);
    ck_assert_uint_eq(find(0, 0, 2), before);
}
END_TEST

static struct feed_view view;

static bool feeds(uint32_t topic, const char *room) {
    feed_view_refresh(&view, &segment);
    return feed_view_feeds(&view, topic, span_of(room));
}

START_TEST(a_topic_nothing_is_said_about_feeds_every_room) {
    ck_assert(feeds(0, "prices"));
    ck_assert(feeds(200, "prices"));
}
END_TEST

START_TEST(a_topic_feeds_the_rooms_of_its_templates) {
    const struct feed mine[] = {feed_of(SPAN_LITERAL("prices"), true),
                                feed_of(SPAN_LITERAL("prices:"), false)};
    feed_table_set(&segment, 0, mine, 2);
    ck_assert(feeds(0, "prices"));
    ck_assert(feeds(0, "prices:1:ETH"));
    ck_assert(!feeds(0, "pricesx"));
    ck_assert(!feeds(0, "price"));
    ck_assert(!feeds(0, "trades"));
    feed_table_set(&segment, 0, mine, 0); /* control messages */
    ck_assert(!feeds(0, "prices"));
    feed_table_set(&segment, 0, NULL, 0);
    ck_assert(feeds(0, "trades"));
}
END_TEST

START_TEST(more_than_fits_feeds_every_room_or_a_longer_list_of_them) {
    struct feed many[FEED_MAX + 1];
    for (unsigned i = 0; i < ARRAY_LENGTH(many); i++)
        many[i] = feed_of(SPAN_LITERAL("a:"), false);
    feed_table_set(&segment, 0, many, FEED_MAX);
    ck_assert(!feeds(0, "b"));
    feed_table_set(&segment, 0, many, FEED_MAX + 1);
    ck_assert(feeds(0, "b"));
    char name[ROOM_NAME_MAX_BYTES + 1];
    memset(name, 'n', ROOM_NAME_MAX_BYTES);
    name[ROOM_NAME_MAX_BYTES] = '\0';
    many[0] = feed_of(span_of(name), true);
    feed_table_set(&segment, 0, many, 1);
    ck_assert(feeds(0, name));
}
END_TEST

START_TEST(a_writer_killed_in_the_middle_leaves_a_table_that_hides_nothing) {
    feed_table_set(&segment, 0, &(struct feed){.whole = 1, .length = 1, .prefix = "a"}, 1);
    ck_assert(!feeds(0, "b"));
    store_relaxed(&segment.feeds->version, load_relaxed(&segment.feeds->version) | 1);
    ck_assert(feeds(0, "b"));
    feed_table_set(&segment, 0, &(struct feed){.whole = 1, .length = 1, .prefix = "a"}, 1);
    ck_assert(!feeds(0, "b"));
}
END_TEST

/* The killed writer was at topic 0; its successor comes to topic 1 first, and to topic 0 perhaps never. */
START_TEST(what_a_killed_writer_left_half_written_feeds_every_room_until_it_is_written_again) {
    const struct feed a = feed_of(SPAN_LITERAL("a"), true);

    fixture_need(positions_intern(segment.positions, SPAN_LITERAL("other"), 0), "positions_intern");
    feed_table_set(&segment, 0, &a, 1);
    feed_table_set(&segment, 1, &a, 1);
    ck_assert(!feeds(0, "b") && !feeds(1, "b"));
    store_relaxed(&segment.feeds->version, load_relaxed(&segment.feeds->version) | 1);
    feed_table_set(&segment, 1, &a, 1);
    ck_assert(feeds(0, "b") && !feeds(1, "b"));
    feed_table_set(&segment, 0, &a, 1);
    ck_assert(!feeds(0, "b"));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("time_index");
    TCase *tcase = tcase_create("time_index");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_empty_ring_has_all_that_ever_was);
    tcase_add_test(tcase, an_offset_leads_to_its_stretch);
    tcase_add_test(tcase, a_quiet_partition_costs_no_walk);
    tcase_add_test(tcase, what_has_been_written_over_is_too_old);
    tcase_add_test(tcase, a_partition_that_came_later_begins_at_its_start);
    tcase_add_test(tcase, a_record_longer_than_a_stretch_leaves_no_stale_place);
    tcase_add_test(tcase, a_topic_made_anew_is_searched_behind_its_beginning);
    tcase_add_test(tcase, a_stretch_is_written_once_even_when_its_record_is_redone);
    tcase_add_test(tcase, a_topic_nothing_is_said_about_feeds_every_room);
    tcase_add_test(tcase, a_topic_feeds_the_rooms_of_its_templates);
    tcase_add_test(
        tcase, what_a_killed_writer_left_half_written_feeds_every_room_until_it_is_written_again);
    tcase_add_test(tcase, more_than_fits_feeds_every_room_or_a_longer_list_of_them);
    tcase_add_test(tcase, a_writer_killed_in_the_middle_leaves_a_table_that_hides_nothing);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
