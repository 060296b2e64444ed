#include "ingest/room_feed.h"

#include "common/room_name.h"
#include "shm/feed_table.h"
#include "shm/room_index.h"
#include "shm/snapshot_table.h"
#include "shm/type_table.h"

static const struct route_alternative *next_alternative(const struct route *route, unsigned *room,
                                                        unsigned *choice);

static bool is_conflated(const struct route *route);
static int add_own(struct segment *segment, struct span room, bool conflated);

void room_feed_slots(struct segment *segment, const struct route_table *routes) {
    for (unsigned i = 0; i < routes->count; i++) {
        const struct route_alternative *alternative;
        unsigned room = 0, choice = 0;
        while ((alternative = next_alternative(routes->routes[i], &room, &choice)) != NULL) {
            struct span name = template_beginning(alternative->template);
            if (template_is_literal(alternative->template) &&
                add_own(segment, name, is_conflated(routes->routes[i])) != 0) {
                return;
            }
        }
    }
}

static bool is_conflated(const struct route *route) {
    return route->conflate != NULL && !route->lossless;
}

static int add_own(struct segment *segment, struct span room, bool conflated) {
    uint64_t hash = room_name_hash(&segment->header->hash_key, room);
    int error = room_index_add_own(segment, room_index_hash(hash, ROOM_CHAIN_EVENTS));

    if (error == 0 && conflated) {
        error = room_index_add_own(segment, room_index_hash(hash, ROOM_CHAIN_VALUES));
    }
    return error;
}

void room_feed_types(struct segment *segment, const struct route_table *routes) {
    struct span types[TYPE_MAX];
    unsigned count = 0;

    static_assert(ROUTE_MAX_ROUTES <= TYPE_MAX && ROUTE_TYPE_MAX_BYTES <= TYPE_MAX_BYTES,
                  "every route's type has a place");
    for (unsigned i = 0; i < routes->count; i++) {
        const struct route *route = routes->routes[i];
        if (route->kind == ROUTE_TYPED) {
            types[count++] = (struct span){route->type, route->type_length};
        }
    }
    type_table_set(segment, types, count);
}

void room_feed_values(struct snapshot_put *values, const struct route_table *routes) {
    const struct positions *positions = values->segment->positions;
    uint32_t count = load_relaxed(&positions->topic_count);

    for (uint32_t topic = 0; topic < count; topic++) {
        const struct positions_topic *known = &positions->topics[topic];
        const struct route *route =
            route_table_find(routes, (struct span){known->name, known->name_length});
        snapshot_put_topic(values, topic, route != NULL ? route->values : 0);
    }
}

void room_feed_topic(struct segment *segment, uint32_t topic, const struct route *route) {
    const struct route_alternative *alternative;
    struct feed feeds[FEED_MAX];
    unsigned count = 0, room = 0, choice = 0;

    while ((alternative = next_alternative(route, &room, &choice)) != NULL) {
        if (count < FEED_MAX) {
            feeds[count] = feed_of(template_beginning(alternative->template),
                                   template_is_literal(alternative->template));
        }
        count++;
    }
    snapshot_table_keep(segment, topic,
                        route->values); /* new here, or the same: room_feed_values() */
    feed_table_set(segment, topic, route->kind == ROUTE_SELF ? NULL : feeds, count);
}

/* All alternatives of all rooms; NULL at the end. */
static const struct route_alternative *next_alternative(const struct route *route, unsigned *room,
                                                        unsigned *choice) {
    while (*room < route->room_count && *choice >= route->rooms[*room].count) {
        ++*room;
        *choice = 0;
    }
    return *room < route->room_count ? &route->rooms[*room].alternatives[(*choice)++] : NULL;
}
