/* moonx-ingest: the Kafka side of the gateway. Started by moonx-gateway, with the same arguments; by hand it only
 * answers --help and --version, and checks its part of the configuration. */
#include "common/config_files.h"
#include "common/heritage.h"
#include "common/log.h"
#include "common/option.h"
#include "common/secret.h"
#include "ingest/ingest.h"
#include "ingest/kafka_config.h"

#include <stdio.h>
#include <stdlib.h>

#define EXIT_CONFIGURATION 2

static const char help[] =
    "Usage: moonx-ingest [OPTION]... --check-config\n"
    "       moonx-ingest --help | --version\n"
    "\n"
    "The Kafka side of moonx-gateway, one process a host: it consumes the routed\n"
    "topics and writes each event once into shared memory. moonx-gateway starts it\n"
    "and hands it the same options; by hand it only checks them, its routes and its\n"
    "Kafka properties.\n"
    "\n"
    "The options: moonx-gateway --help, moonx-gateway(8). Routes: moonx-routes(5).\n"
    "Exit status: 0 right; 2 an option, a route or a property is wrong, which one line\n"
    "on stderr tells.\n";

static int answer(const struct options *options, const struct option_command *command);
static int check_config(const struct options *options);
static int refuse(const char *text);

int main(int argc, char **argv) {
    struct options options;
    struct option_command command;
    struct heritage heritage;
    char error[512];
    int child;

    secret_hide_environment();
    child = heritage_take(&heritage);
    if (child == 1 && heritage.config_fd >= 0 && config_files_attach(heritage.config_fd) < 0) {
        return refuse("the configured files that were handed down can't be used");
    }
    if (option_parse(argc, argv, &options, &command, error, sizeof(error)) < 0) {
        return refuse(error);
    }
    if (child < 0) {
        return refuse("what MOONX_HERITAGE names is not from a moonx-gateway of this version");
    }
    if (child == 0 || heritage.role != HERITAGE_INGEST) {
        int status = answer(&options, &command);
        option_done(&options);
        return status;
    }
    log_init_words("ingest", options.log_level, options.log_format);
    if (options.kafka_brokers[0] == '\0' && !command.dev) {
        return refuse("KAFKA_BROKERS is not set: give the brokers as HOST:PORT,..., or use --dev");
    }
    ingest_main(&heritage, &options, command.dev);
}

static int answer(const struct options *options, const struct option_command *command) {
    if (command->help) {
        fputs(help, stdout);
        return 0;
    }
    if (command->version) {
        printf("moonx-ingest %s (librdkafka %s)\n", MOONX_VERSION, rd_kafka_version_str());
        return 0;
    }
    if (command->check_config) {
        return check_config(options);
    }
    return refuse("moonx-gateway starts this program; start that instead");
}

static int check_config(const struct options *options) {
    struct route_table *routes;
    char error[1024];

    log_init("ingest", LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
    if (route_table_new(options, &routes, error, sizeof(error)) < 0) {
        return refuse(error);
    }
    route_table_free(routes);
    return kafka_config_check(options, error, sizeof(error)) < 0 ? refuse(error) : 0;
}

static int refuse(const char *text) {
    fprintf(stderr, "moonx-ingest: %s\n", text);
    return EXIT_CONFIGURATION;
}
