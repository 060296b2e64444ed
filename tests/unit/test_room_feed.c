/* What the built-in routes tell workers: which topics concern a room, and which rooms are walked alone. */
#include "common/room_name.h"
#include "ingest/room_feed.h"
#include "shm/feed_table.h"
#include "shm/room_index.h"
#include "tests/shm_fixture.h"
#include "tests/unit/route_fixture.h"
#include "tests/unit/unit.h"

static struct segment segment;

static void setup(void) {
    fixture_open(&segment, 4096, 1); /* topic 0 */
    fixture_open_routes();
}

static void teardown(void) {
    fixture_close_routes();
    fixture_close(&segment);
}

static bool feeds(const struct route *route, const char *room) {
    static struct feed_view view;
    room_feed_topic(&segment, 0, route);
    feed_view_refresh(&view, &segment);
    return feed_view_feeds(&view, 0, span_of(room));
}

static bool has_own_slot(const char *room, enum room_chain chain) {
    uint64_t hash = room_name_hash(&segment.header->hash_key, span_of(room));
    return room_index_slot(&segment, room_index_hash(hash, chain)) < ROOM_INDEX_OWN;
}

START_TEST(a_topic_feeds_what_its_templates_begin_with) {
    const struct route *prices = fixture_route("price.updates");
    ck_assert(feeds(prices, "prices"));
    ck_assert(feeds(prices, "prices:1:ETH"));
    ck_assert(!feeds(prices, "orders:42"));
    ck_assert(feeds(fixture_route("order.updates"), "order:7"));
    ck_assert(!feeds(fixture_route("order.updates"), "prices"));
}
END_TEST

START_TEST(each_alternative_counts) {
    const struct route *notes = fixture_route("notification.updates");
    ck_assert(feeds(notes, "notifications"));
    ck_assert(feeds(notes, "notifications:42"));
}
END_TEST

START_TEST(messages_that_name_their_rooms_feed_all_and_control_messages_none) {
    ck_assert(feeds(fixture_route("gateway.events"), "anything"));
    ck_assert(!feeds(fixture_route("gateway.control"), "anything"));
}
END_TEST

START_TEST(rooms_without_placeholders_get_slots_of_their_own) {
    room_feed_slots(&segment, fixture_routes);
    room_feed_slots(&segment, fixture_routes); /* a successor of a killed ingest */
    static const char *const own[] = {"prices", "trades", "system_alerts", "user_actions",
                                      "notifications"};
    for (unsigned i = 0; i < ARRAY_LENGTH(own); i++)
        ck_assert_msg(has_own_slot(own[i], ROOM_CHAIN_EVENTS), "%s", own[i]);
    ck_assert(has_own_slot("prices", ROOM_CHAIN_VALUES));
    ck_assert(!has_own_slot("trades", ROOM_CHAIN_VALUES));
    ck_assert(!has_own_slot("42", ROOM_CHAIN_EVENTS));
    ck_assert(!has_own_slot("prices:", ROOM_CHAIN_EVENTS));
}
END_TEST

int main(void) {
    Suite *suite = suite_create("room_feed");
    TCase *tcase = tcase_create("room_feed");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_topic_feeds_what_its_templates_begin_with);
    tcase_add_test(tcase, each_alternative_counts);
    tcase_add_test(tcase, messages_that_name_their_rooms_feed_all_and_control_messages_none);
    tcase_add_test(tcase, rooms_without_placeholders_get_slots_of_their_own);
    suite_add_tcase(suite, tcase);
    return unit_run(suite);
}
