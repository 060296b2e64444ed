/* moonx-gateway: one program, several roles. Started by a person or by systemd it is the supervisor (or a
 * short command: --help, --version, --check-config, token); started by the supervisor it is a worker. */
#include "common/config_files.h"
#include "common/heritage.h"
#include "common/log.h"
#include "common/option.h"
#include "common/secret.h"
#include "gateway/supervisor/config_check.h"
#include "gateway/supervisor/dev.h"
#include "gateway/supervisor/supervisor.h"
#include "gateway/supervisor/token.h"
#include "gateway/worker.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#define PROGRAM      "moonx-gateway"
#define STATUS_BAD   2
#define HELP_COLUMNS 100 /* where there is no terminal */

static int refuse(const char *error) {
    fprintf(stderr, PROGRAM ": %s\n", error);
    return STATUS_BAD;
}

static int run_worker(const struct heritage *heritage, int argc, char *const *argv,
                      const struct options *options, bool dev) {
    char name[16];
    if (heritage->role != HERITAGE_WORKER) {
        return refuse(HERITAGE_ENVIRONMENT " names another role than this program has");
    }
    snprintf(name, sizeof(name), "moonx-worker-%u", heritage->index % HERITAGE_MAX_WORKERS);
    prctl(PR_SET_NAME, name);
    return worker_main(heritage, argc, argv, options, dev);
}

static unsigned help_columns(void) {
    struct winsize size;
    bool terminal = ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
    return terminal ? size.ws_col : HELP_COLUMNS;
}

static int print_help(void) {
    puts("Usage: " PROGRAM " [OPTION]...\n"
         "       " PROGRAM " [OPTION]... --check-config\n"
         "       " PROGRAM " [OPTION]... token --user ID [--email E] [--role R]...\n"
         "                                 [--ttl SECONDS]\n");
    option_print_help(stdout, PROGRAM, help_columns());
    return 0;
}

static int run_subcommand(const struct option_command *command, const struct options *options) {
    char error[320];
    if (strcmp(command->arguments[0], "token") == 0) {
        return token_command(command->argument_count, command->arguments, options, command->dev);
    }
    snprintf(error, sizeof(error), "\"%.200s\" is not a command; there is one: token",
             command->arguments[0]);
    return refuse(error);
}

static int run_command(int argc, char *const *argv, const struct option_command *command,
                       const struct options *options) {
    char error[1024];
    if (command->dev && dev_prepare(options, error, sizeof(error)) < 0) {
        return refuse(error);
    }
    if (command->argument_count > 0) {
        return run_subcommand(command, options);
    }
    if (command->check_config) {
        return config_check_command(argc, argv, options, command->dev);
    }
    log_init_words("supervisor", options->log_level, options->log_format);
    return supervisor_run(argc, argv, options, command->dev);
}

/* Descriptors 0 to 2 are taken, or the first socket would become some library's stderr. */
static void open_standard(void) {
    int fd;
    do {
        fd = open("/dev/null", O_RDWR);
    } while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0) {
        close(fd);
    }
}

int main(int argc, char **argv) {
    struct heritage heritage;
    struct options options;
    struct option_command command;
    char error[1024] = "";
    open_standard();
    signal(SIGXFSZ, SIG_IGN); /* what is too large for a limit fails, as a full disk does */
    secret_hide_environment();
    int child = heritage_take(&heritage);
    if (child < 0) {
        return refuse(HERITAGE_ENVIRONMENT " is set by the supervisor alone; unset it");
    }
    if (child == 1 && heritage.config_fd >= 0 && config_files_attach(heritage.config_fd) < 0) {
        return refuse("the configured files that were handed down can't be used");
    }
    if (option_parse(argc, argv, &options, &command, error, sizeof(error)) < 0) {
        return refuse(error);
    }
    if (child == 1) {
        return run_worker(&heritage, argc, argv, &options, command.dev);
    }
    if (command.help) {
        return print_help();
    }
    if (command.version) {
        puts(PROGRAM " " MOONX_VERSION);
        return 0;
    }
    return run_command(argc, argv, &command, &options);
}
