#include "common/heritage.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

static int parse_descriptor(const char *text);
static int read_sealed(int fd, struct heritage *out);
static int check(const struct heritage *heritage);
static int check_descriptors(const struct heritage *heritage);
static int close_descriptors_on_exec(const struct heritage *heritage);
static int become(uid_t uid, gid_t gid);
static int check_no_way_back(uid_t uid, gid_t gid);
static int keep_death_signal(int number, pid_t parent);

int heritage_take(struct heritage *out) {
    const char *text = getenv(HERITAGE_ENVIRONMENT);
    struct heritage heritage;
    int fd;

    if (text == NULL) {
        return 0;
    }
    fd = parse_descriptor(text);
    if (fd < 0 || read_sealed(fd, &heritage) != 0 || check(&heritage) != 0 ||
        close_descriptors_on_exec(&heritage) != 0) {
        return -EPROTO; /* `fd` stays open: what it names is not known to be ours to close */
    }
    close(fd);
    unsetenv(HERITAGE_ENVIRONMENT);
    *out = heritage;
    return 1;
}

int heritage_drop_privileges(const struct heritage *heritage) {
    uid_t uid = (uid_t)heritage->run_as_uid;
    gid_t gid = (gid_t)heritage->run_as_gid;
    uid_t real, effective, saved;
    pid_t parent = getppid();
    int death_signal = 0;
    int error;

    if (getresuid(&real, &effective, &saved) != 0) {
        return -errno;
    }
    if (real == uid && effective == uid && saved == uid) {
        return 0;
    }
    if (prctl(PR_GET_PDEATHSIG, &death_signal) != 0) {
        return -errno;
    }
    error = become(uid, gid);
    error = error != 0 ? error : check_no_way_back(uid, gid);
    return error != 0 ? error : keep_death_signal(death_signal, parent);
}

static int parse_descriptor(const char *text) {
    int fd = 0;

    if (*text == 0) {
        return -1;
    }
    for (; *text != 0; text++) {
        if (*text < '0' || *text > '9' || fd > (INT_MAX - 9) / 10) {
            return -1;
        }
        fd = fd * 10 + (*text - '0');
    }
    return fd;
}

/* Whole, of exactly our size, and no longer to be changed by anyone: only then may it be believed. */
static int read_sealed(int fd, struct heritage *out) {
    const int needed = F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW;
    struct stat status;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & needed) != needed || fstat(fd, &status) != 0 ||
        status.st_size != (off_t)sizeof(*out)) {
        return -EPROTO;
    }
    return pread(fd, out, sizeof(*out), 0) == (ssize_t)sizeof(*out) ? 0 : -EPROTO;
}

static bool role_is_sound(const struct heritage *heritage) {
    switch (heritage->role) {
    case HERITAGE_INGEST:
        return heritage->index == 0;
    case HERITAGE_WORKER:
        return heritage->index < heritage->worker_count;
    default:
        return false;
    }
}

static int check(const struct heritage *heritage) {
    if (heritage->magic != HERITAGE_MAGIC || heritage->version != HERITAGE_VERSION ||
        heritage->size != sizeof(*heritage)) {
        return -EPROTO;
    }
    if (heritage->worker_count < 1 || heritage->worker_count > HERITAGE_MAX_WORKERS ||
        heritage->listen_count > HERITAGE_MAX_WORKERS || !role_is_sound(heritage)) {
        return -EPROTO;
    }
    return check_descriptors(heritage);
}

/* The role's own descriptors must be there, others may be: -1 is none, anything less is nonsense. */
static int check_descriptors(const struct heritage *heritage) {
    bool worker = heritage->role == HERITAGE_WORKER;

    if (heritage->segment_fd < 0 || heritage->host_fd < 0 || heritage->limit_fd < -1 ||
        heritage->admin_fd < -1 || heritage->revocation_fd < -1 || heritage->config_fd < -1 ||
        heritage->ticket_fd < -1 || heritage->uplink_wake_fd < 0 || heritage->once_fd < -1) {
        return -EPROTO;
    }
    for (uint32_t i = 0; i < HERITAGE_MAX_WORKERS; i++) {
        if (heritage->worker_fd[i] < -1 || heritage->wake_fd[i] < -1 ||
            heritage->listen_fd[i] < -1 || heritage->uplink_fd[i] < -1) {
            return -EPROTO;
        }
    }
    for (uint32_t i = 0; i < heritage->listen_count; i++) {
        if (heritage->listen_fd[i] < 0) {
            return -EPROTO;
        }
    }
    return !worker || (heritage->worker_fd[heritage->index] >= 0 &&
                       heritage->wake_fd[heritage->index] >= 0 &&
                       heritage->uplink_fd[heritage->index] >= 0)
               ? 0
               : -EPROTO;
}

static int close_on_exec(int fd) {
    return fd < 0 || fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 ? 0 : -errno;
}

static int close_descriptors_on_exec(const struct heritage *heritage) {
    int error = close_on_exec(heritage->segment_fd);

    error = error != 0 ? error : close_on_exec(heritage->host_fd);
    error = error != 0 ? error : close_on_exec(heritage->admin_fd);
    error = error != 0 ? error : close_on_exec(heritage->revocation_fd);
    error = error != 0 ? error : close_on_exec(heritage->limit_fd);
    error = error != 0 ? error : close_on_exec(heritage->config_fd);
    error = error != 0 ? error : close_on_exec(heritage->uplink_wake_fd);
    error = error != 0 ? error : close_on_exec(heritage->ticket_fd);
    error = error != 0 ? error : close_on_exec(heritage->once_fd);
    for (uint32_t i = 0; i < HERITAGE_MAX_WORKERS && error == 0; i++) {
        error = close_on_exec(heritage->worker_fd[i]);
        error = error != 0 ? error : close_on_exec(heritage->wake_fd[i]);
        error = error != 0 ? error : close_on_exec(heritage->listen_fd[i]);
        error = error != 0 ? error : close_on_exec(heritage->uplink_fd[i]);
    }
    return error;
}

static int become(uid_t uid, gid_t gid) {
    /* Groups first: without uid 0 they can't be given up any more. */
    if (setgroups(0, NULL) != 0 || setresgid(gid, gid, gid) != 0) {
        return -errno;
    }
    if (prctl(PR_SET_KEEPCAPS, 0, 0, 0, 0) != 0 || setresuid(uid, uid, uid) != 0) {
        return -errno;
    }
    /* A set-uid program would be a way back too. */
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 ? 0 : -errno;
}

static int check_no_way_back(uid_t uid, gid_t gid) {
    uid_t ruid, euid, suid;
    gid_t rgid, egid, sgid;

    if (getresuid(&ruid, &euid, &suid) != 0 || getresgid(&rgid, &egid, &sgid) != 0) {
        return -errno;
    }
    if (ruid != uid || euid != uid || suid != uid || rgid != gid || egid != gid || sgid != gid ||
        getgroups(0, NULL) != 0) {
        return -EPERM;
    }
    if (uid != 0 && (setuid(0) == 0 || seteuid(0) == 0)) {
        return -EPERM;
    }
    return 0;
}

/* A change of user clears the signal that the kernel sends when the supervisor dies (prctl(2)); without it
 * this process would outlive a killed supervisor, and so it would if that died just now. */
static int keep_death_signal(int number, pid_t parent) {
    if (number == 0) {
        return 0;
    }
    if (prctl(PR_SET_PDEATHSIG, number) != 0) {
        return -errno;
    }
    return getppid() == parent ? 0 : -ESRCH;
}
