/* SPDX-License-Identifier: MIT */
/* block.c - a drive and its thread; see block.h. */
#define _GNU_SOURCE
#include "host/linux/block.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "host/linux/block_priv.h"
#include "host/linux/sandbox.h"

#define STACK_SIZE (256u << 10)

/* ---- opening ---- */

/* The name of the image's format, by its first bytes. What cannot be read is raw_open()'s to
 * report. */
static const char *probe(const char *path)
{
    uint8_t start[FORMAT_PROBE];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    ssize_t n = fd < 0 ? -1 : pread(fd, start, sizeof start, 0);

    if (fd >= 0)
        close(fd);
    return n < 0 ? "raw" : format_probe(start, (size_t)n);
}

static const char *format_of(const struct drive_spec *s)
{
    if (*s->format)
        return s->format;
    return s->offset || s->size ? "raw" : probe(s->path);
}

int block_open(struct block_drive *d, const struct drive_spec *spec, enum sandbox_mode mode,
               struct error *e)
{
    *d = (struct block_drive){.spec = spec,
                              .sandbox = mode,
                              .info = {.sector = spec->cdrom ? CD_SECTOR : BLOCK_SECTOR,
                                       .read_only = spec->read_only || spec->cdrom,
                                       .removable = spec->cdrom},
                              .raw = {.fd = -1, .direct_fd = -1},
                              .overlay = {.fd = -1},
                              .nbd = {.process = -1}};
    if (!*spec->path)
        return 0;
    const char *format = format_of(spec);
    if (strcmp(format, "raw"))
        return nbd_open(d, format, e);
    d->raw.guard_format = !*spec->format;
    if (raw_open(d, e))
        return -1;
    return spec->snapshot && !d->info.read_only ? overlay_open(d, e) : 0;
}

struct blockdev block_backend(struct block_drive *d)
{
    return (struct blockdev){.opaque = d, .info = block_info, .submit = block_submit};
}

/* ---- the thread ---- */

static int do_request(struct block_drive *d, const struct block_request *r)
{
    int err = blockdev_check(&d->info, r);

    if (err)
        return err;
    if (d->nbd.handle)
        err = nbd_request(&d->nbd, r);
    else if (d->overlay.fd >= 0)
        err = overlay_request(d, r);
    else
        err = raw_request(&d->raw, r);
    if (err && !__atomic_load_n(&d->failed_errno, __ATOMIC_RELAXED))
        __atomic_store_n(&d->failed_errno, errno, __ATOMIC_RELEASE);
    return err;
}

/* The last that the thread does: what the guest did not flush goes to the disk, too. */
static void leave(struct block_drive *d)
{
    struct block_request flush = {.op = BLOCK_FLUSH};

    if (d->raw.fd >= 0 && !d->info.read_only && d->overlay.fd < 0)
        do_request(d, &flush);
    nbd_leave(&d->nbd);
}

static void *serve(void *drive)
{
    struct block_drive *d = drive;
    struct error e;
    bool ready = sandbox_enter_block(d->sandbox, &e) == 0;

    if (!ready)
        *d->start_error = e;
    sem_post(&d->started);
    while (ready) {
        struct block_request *r = block_take(d);

        if (!r)
            break;
        while (r) {
            struct block_request *next = r->link; /* it is the device's again when it is posted */

            completion_post(d->queue, &r->completion, do_request(d, r));
            r = next;
        }
    }
    leave(d);
    return NULL;
}

int block_start(struct block_drive *d, struct error *e)
{
    static const int traps[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS};
    struct error why = {.text = ""};
    pthread_attr_t attr;
    sigset_t most, old;

    d->start_error = &why;
    mallopt(M_ARENA_MAX, 1); /* another arena is 64 MiB of address space */
    sem_init(&d->started, 0, 0);
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_SIZE);
    /* Signals are the vCPU's thread's business, but for the thread's own crashes. */
    sigfillset(&most);
    for (unsigned i = 0; i < ARRAY_LEN(traps); i++)
        sigdelset(&most, traps[i]);
    pthread_sigmask(SIG_BLOCK, &most, &old);
    int err = pthread_create(&d->thread, &attr, serve, d);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    pthread_attr_destroy(&attr);
    if (err) {
        sem_destroy(&d->started);
        return error_set(e, "the host gives no thread for the drive '%s': %s", d->spec->path,
                         refusal(err));
    }
    d->running = true;
    while (sem_wait(&d->started) < 0 && errno == EINTR)
        continue;
    sem_destroy(&d->started);
    return why.text[0] ? error_set(e, "%s", why.text) : 0;
}

static void stop(struct block_drive *d)
{
    if (!d->running)
        return;
    __atomic_store_n(&d->quit, true, __ATOMIC_SEQ_CST);
    block_rouse(d);
    pthread_join(d->thread, NULL);
    d->running = false;
}

void block_close(struct block_drive *d)
{
    stop(d);
    nbd_finish(&d->nbd);
    overlay_close(&d->overlay);
    raw_close(&d->raw);
}

void block_complain(struct block_drive *d)
{
    int err = __atomic_load_n(&d->failed_errno, __ATOMIC_ACQUIRE);

    if (!err || d->complained)
        return;
    d->complained = true;
    if (err == EPERM && d->raw.guard_format)
        say("the guest wanted to write a first sector to '%s' that looks like another image "
            "format, and got an error; "
            "format=raw allows it",
            d->spec->path);
    else
        say("the image '%s' cannot be read or written: %s; the guest gets an error", d->spec->path,
            err == ENODATA ? "the file has become shorter" : refusal(err));
}
