/* The built-in routes for the tests of what ingest does with a value: the same lines as route_table.c makes of
 * the default options, so that a change there shows here. */
#ifndef MOONX_TESTS_ROUTE_FIXTURE_H
#define MOONX_TESTS_ROUTE_FIXTURE_H

#include "ingest/route_table.h"

#include <check.h>
#include <stdlib.h>

static struct route_table *fixture_routes;

static inline void fixture_open_routes(void) {
    char name[] = "moonx-ingest", *const argv[] = {name, NULL}, error[512];
    struct options options;
    struct option_command command;

    clearenv();
    ck_assert_int_eq(option_parse(1, argv, &options, &command, error, sizeof(error)), 0);
    ck_assert_int_eq(route_table_new(&options, &fixture_routes, error, sizeof(error)), 0);
}

static inline void fixture_close_routes(void) {
    route_table_free(fixture_routes);
    fixture_routes = NULL;
}

static inline const struct route *fixture_route(const char *topic) {
    const struct route *route = route_table_find(fixture_routes, span_of(topic));

    ck_assert_msg(route != NULL, "no route of %s", topic);
    return route;
}

/* Instead of the built-in ones. */
static inline const struct route *fixture_parse(const char *text) {
    char error[512] = "";

    fixture_close_routes();
    ck_assert_msg(
        route_table_parse("routes", span_of(text), &fixture_routes, error, sizeof(error)) == 0,
        "%s", error);
    return fixture_routes->routes[0];
}

#endif
