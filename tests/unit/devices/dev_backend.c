/* SPDX-License-Identifier: MIT */
/*
 * dev_backend.c - completions come once, in order, with their time, on the thread that asks for
 * them; what block back ends refuse; structs of zeroes are back ends.
 * uses: devices/completion.c devices/backend.c
 */
#include <criterion/criterion.h>
#include <pthread.h>

#include "tests/rig/backends.h"
#include "tests/rig/pc_fixture.h"

struct trail {
    struct completion_queue q;
    unsigned count, woken, recorded;
    int result[4096];
    ns_t now;
    struct block_request *again; /* is submitted anew by its completion */
    unsigned rounds;
    struct blockdev dev;
};

static void done(void *opaque, int result, ns_t now)
{
    struct trail *t = opaque;

    t->result[t->count++ % ARRAY_LEN(t->result)] = result;
    t->now = now;
    if (t->again && t->rounds) {
        t->rounds--;
        blockdev_submit(&t->dev, &t->q, t->again);
    }
}

static void woken(void *opaque)
{
    ((struct trail *)opaque)->woken++;
}

static void seen(void *opaque, ns_t now, uint64_t number, int result)
{
    struct trail *t = opaque;

    cr_expect_eq(number, t->recorded, "in order");
    cr_expect(now == 77 && result == (int)number);
    t->recorded++;
}

Test(completion, order_and_time)
{
    struct completion c[8];
    struct trail t = {.q = {.wake = woken, .wake_opaque = &t, .seen = seen, .seen_opaque = &t}};

    cr_expect_eq(completion_deliver(&t.q, 1, 10), 0);
    for (unsigned n = 0; n < 8; n++) {
        c[n] = (struct completion){.done = done, .opaque = &t};
        completion_begin(&t.q, &c[n]);
    }
    cr_expect_eq(completion_pending(&t.q), 8);
    for (unsigned n = 0; n < 8; n++)
        completion_post(&t.q, &c[n], (int)n);
    cr_expect_eq(t.woken, 1, "once, when something came to an empty queue");
    cr_expect_eq(t.count, 0, "not before it is asked for");
    cr_expect_eq(completion_deliver(&t.q, 77, 3), 3);
    cr_expect_eq(completion_deliver(&t.q, 77, 100), 5);
    for (unsigned n = 0; n < 8; n++)
        cr_expect_eq(t.result[n], (int)n);
    cr_expect(t.now == 77 && t.recorded == 8 && !completion_pending(&t.q));
    completion_begin(&t.q, &c[0]);
    t.q.seen = NULL;
    completion_post(&t.q, &c[0], 9);
    cr_expect_eq(t.woken, 2);
    cr_expect_eq(completion_deliver(&t.q, 78, 1), 1);
}

/* ---- several threads ---- */

#define THREADS 4u
#define EACH    20000u

struct poster {
    struct completion_queue *q;
    struct completion *c;
};

static unsigned got[THREADS * EACH];

static void count_it(void *opaque, int result, ns_t now)
{
    (void)now;
    cr_assert_eq((unsigned)result, (unsigned)(uintptr_t)opaque);
    got[result]++;
}

static void *post(void *arg)
{
    struct poster *p = arg;

    for (unsigned n = 0; n < EACH; n++)
        completion_post(p->q, &p->c[n], (int)(uintptr_t)p->c[n].opaque);
    return NULL;
}

Test(completion, from_threads)
{
    static struct completion c[THREADS * EACH];
    static struct completion_queue q;
    struct poster p[THREADS];
    pthread_t thread[THREADS];
    unsigned count = 0;

    for (unsigned n = 0; n < THREADS * EACH; n++) {
        c[n] = (struct completion){.done = count_it, .opaque = (void *)(uintptr_t)n};
        completion_begin(&q, &c[n]);
    }
    for (unsigned n = 0; n < THREADS; n++) {
        p[n] = (struct poster){&q, c + n * EACH};
        pthread_create(&thread[n], NULL, post, &p[n]);
    }
    while (count < THREADS * EACH)
        count += completion_deliver(&q, 1, 100);
    for (unsigned n = 0; n < THREADS; n++)
        pthread_join(thread[n], NULL);
    for (unsigned n = 0; n < THREADS * EACH; n++)
        cr_assert_eq(got[n], 1, "%u", n);
    cr_expect(!completion_deliver(&q, 1, 100) && !completion_pending(&q));
}

/* ---- blocks ---- */

static struct block_request request(struct trail *t, enum block_op op, uint64_t offset,
                                    uint8_t *bytes, uint32_t len)
{
    return (struct block_request){.completion = {.done = done, .opaque = t},
                                  .op = op,
                                  .offset = offset,
                                  .len = len,
                                  .pieces = bytes != NULL,
                                  .piece = {{bytes, len}}};
}

Test(blockdev, refuses)
{
    static const struct {
        enum block_op op;
        uint64_t offset;
        uint32_t len;
        int result, read_only_result;
    } rows[] = {
        {BLOCK_READ, 0, 512, 0, 0},
        {BLOCK_WRITE, 512, 1024, 0, BACKEND_READ_ONLY},
        {BLOCK_DISCARD, 512, 1024, 0, BACKEND_READ_ONLY},
        {BLOCK_FLUSH, 0, 0, 0, 0},
        {BLOCK_READ, 0x10000, 0, 0, 0},
        {BLOCK_READ, 0xfe00, 1024, BACKEND_RANGE, BACKEND_RANGE},
        {BLOCK_READ, 1, 512, BACKEND_RANGE, BACKEND_RANGE},
        {BLOCK_WRITE, 0, 511, BACKEND_RANGE, BACKEND_RANGE},
        {BLOCK_READ, UINT64_MAX - 511, 512, BACKEND_RANGE, BACKEND_RANGE},
        {BLOCK_WRITE, UINT64_MAX - 511, 512, BACKEND_RANGE, BACKEND_RANGE},
        {BLOCK_DISCARD, 0x10000, 512, BACKEND_RANGE, BACKEND_RANGE},
    };
    struct trail t = {0};
    struct memory_disk d;
    static uint8_t bytes[4096];

    t.dev = memory_disk(&d, 0x10000);
    for (unsigned pass = 0; pass < 3; pass++)
        for (unsigned n = 0; n < ARRAY_LEN(rows); n++) {
            bool moves = rows[n].op == BLOCK_READ || rows[n].op == BLOCK_WRITE;
            struct block_request r =
                request(&t, rows[n].op, rows[n].offset, moves ? bytes : NULL, rows[n].len);
            int want = pass == 0 ? rows[n].result : rows[n].read_only_result;

            d.info.read_only = pass == 1;
            d.info.size = pass == 2 ? 0 : 0x10000;
            blockdev_submit(&t.dev, &t.q, &r);
            cr_expect_eq(completion_deliver(&t.q, 5, 10), 0, "never at once");
            memory_disk_run(&d, 1);
            t.result[0] = 99;
            t.count = 0;
            cr_expect_eq(completion_deliver(&t.q, 5, 10), 1);
            cr_expect_eq(t.result[0], pass == 2 ? BACKEND_NO_MEDIUM : want, "row %u, pass %u", n,
                         pass);
        }
    struct block_request r = request(&t, BLOCK_READ, 0, bytes, 1024);
    r.piece[0].len = 512; /* the pieces are less than all */
    cr_expect_eq(blockdev_check(&(struct blockdev_info){.size = 4096}, &r), BACKEND_RANGE);
    r.pieces = BLOCK_PIECES + 1;
    cr_expect_eq(blockdev_check(&(struct blockdev_info){.size = 4096}, &r), BACKEND_RANGE);
    free(d.bytes);
}

Test(blockdev, memory)
{
    struct trail t = {0};
    struct memory_disk d;
    static uint8_t out[2][512], in[1024];
    struct block_request w, r, f;

    t.dev = memory_disk(&d, 0x10000);
    memset(out[0], 1, 512);
    memset(out[1], 2, 512);
    w = request(&t, BLOCK_WRITE, 1024, out[1], 512);
    w.piece[w.pieces++] = (struct block_piece){out[0], 512};
    w.len = 1024;
    r = request(&t, BLOCK_READ, 1024, in, 1024);
    f = request(&t, BLOCK_FLUSH, 0, NULL, 0);
    blockdev_submit(&t.dev, &t.q, &w);
    blockdev_submit(&t.dev, &t.q, &r);
    blockdev_submit(&t.dev, &t.q, &f);
    cr_expect(completion_pending(&t.q) == 3 && memory_disk_run(&d, 10) == 3);
    cr_expect_eq(completion_deliver(&t.q, 5, 10), 3);
    cr_expect(!memcmp(in, out[1], 512) && !memcmp(in + 512, out[0], 512));
    cr_expect(d.writes == 1 && d.reads == 1 && d.flushes == 1);
    t.again = &r; /* a completion submits */
    t.rounds = 3;
    d.fail = BACKEND_IO;
    t.count = 0;
    blockdev_submit(&t.dev, &t.q, &r);
    for (unsigned n = 0; n < 4; n++) {
        memory_disk_run(&d, 1);
        cr_expect_eq(completion_deliver(&t.q, 6 + n, 10), 1);
    }
    cr_expect(t.count == 4 && t.result[0] == BACKEND_IO && t.result[3] == 0 && t.now == 9);
    free(d.bytes);
}

Test(blockdev, nothing)
{
    struct trail t = {0};
    struct blockdev_info i;
    struct block_request r = request(&t, BLOCK_FLUSH, 0, NULL, 0);

    blockdev_info(&t.dev, &i);
    cr_expect(!i.size && i.sector == BLOCK_SECTOR);
    blockdev_submit(&t.dev, &t.q, &r);
    cr_expect(!t.count && completion_deliver(&t.q, 5, 1) == 1 && t.result[0] == BACKEND_NO_MEDIUM);
}

/* ---- the board's queue ---- */

Test(completion, of_a_board)
{
    struct machine *m = machine_new(1);
    struct trail t = {0};
    struct completion c[100];
    struct completion_queue *q = pc_completions(m->pc);

    for (unsigned n = 0; n < 100; n++) {
        c[n] = (struct completion){.done = done, .opaque = &t};
        completion_begin(q, &c[n]);
        completion_post(q, &c[n], 0);
    }
    cr_expect_eq(pc_run_until(m->pc, 1000), 1000, "some are left: again, soon");
    cr_expect(t.count && t.count < 100 && t.now == 1000);
    cr_expect_gt(pc_run_until(m->pc, 2000), 2000);
    cr_expect(t.count == 100 && t.now == 2000);
    machine_free(m);
}
