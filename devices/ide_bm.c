/* SPDX-License-Identifier: MIT */
/*
 * ide_bm.c - see ide.h: the bus-master registers, and the guest's tables of physical regions (PRD).
 *
 * A request goes straight between the medium and guest memory where up to BLOCK_PIECES runs of it
 * hold whole sectors; else, through the channel's buffer. What a table names that is not memory
 * sets the error bit, as a PCI master abort does; the transfer goes on, in a void.
 *
 * Table      8 bytes an entry: address (bit 0 is 0), byte count of 16 bits (bit 0 is 0; 0 is 64
 *            KiB), bit 63 in the last one. A table does not cross a 64-KiB border; one that would
 *            ends there.
 */
#include "devices/ide_priv.h"
#include "include/ring1/mem.h"

#define PRD_LEN  8u
#define PRD_LAST 0x80u

struct prd_place {
    uint32_t next, at, left;
    bool last;
};

static struct prd_place place(const struct ide_channel *ch)
{
    return (struct prd_place){ch->prd_next, ch->prd_at, ch->prd_left, ch->prd_last};
}

static void go_back(struct ide_channel *ch, const struct prd_place *p)
{
    ch->prd_next = p->next;
    ch->prd_at = p->at;
    ch->prd_left = p->left;
    ch->prd_last = p->last;
}

static bool table_is_done(const struct ide_channel *ch)
{
    return !ch->prd_left && ch->prd_last;
}

/* Makes prd_left more than 0. False: the table has ended. */
static bool next_region(struct ide_channel *ch)
{
    uint8_t e[PRD_LEN];
    uint32_t count;

    if (ch->prd_left)
        return true;
    if (ch->prd_last)
        return false;
    if (!dma_read(ch->dma, ch->prd_next, e, sizeof e)) {
        ch->bmis |= BMIS_ERROR;
        ch->prd_last = true;
        return false;
    }
    count = ((uint32_t)e[4] | (uint32_t)e[5] << 8) & 0xfffe;
    ch->prd_at =
        ((uint32_t)e[0] | (uint32_t)e[1] << 8 | (uint32_t)e[2] << 16 | (uint32_t)e[3] << 24) & ~1u;
    ch->prd_left = count ? count : 0x10000;
    ch->prd_next += PRD_LEN;
    ch->prd_last = (e[7] & PRD_LAST) || !(ch->prd_next & 0xffff);
    return true;
}

static uint32_t run_of(const struct ide_channel *ch, uint32_t want)
{
    return ch->prd_left < want ? ch->prd_left : want;
}

static void advance(struct ide_channel *ch, uint32_t n)
{
    ch->prd_at += n;
    ch->prd_left -= n;
}

uint32_t ide_bm_copy(struct ide_channel *ch, uint8_t *bytes, uint32_t len, bool to_guest)
{
    uint32_t done = 0;

    while (done < len && next_region(ch)) {
        uint32_t n = run_of(ch, len - done);
        bool whole = to_guest ? dma_write(ch->dma, ch->prd_at, bytes + done, n)
                              : dma_read(ch->dma, ch->prd_at, bytes + done, n);

        if (!whole)
            ch->bmis |= BMIS_ERROR;
        advance(ch, n);
        done += n;
    }
    return done;
}

/* ---- straight to guest memory ---- */

static void unmap_from(struct ide_channel *ch, unsigned first)
{
    const struct block_request *r = &ch->host.r;

    while (ch->host.maps > first) {
        unsigned n = --ch->host.maps;
        struct dma_map *m = &ch->host.map[n];

        dma_unmap(ch->dma, m, m->write ? r->piece[n].len : 0);
    }
}

/* Maps runs of the table until there are `want` bytes; returns how many there are. */
static uint32_t map_runs(struct ide_channel *ch, uint32_t want, bool to_guest)
{
    struct block_request *r = &ch->host.r;
    uint32_t sum = 0;

    while (sum < want && ch->host.maps < BLOCK_PIECES && next_region(ch)) {
        unsigned n = ch->host.maps;
        struct dma_map *m = &ch->host.map[n];
        uint32_t len = dma_map(ch->dma, ch->prd_at, run_of(ch, want - sum), to_guest, m);

        if (!len)
            break;
        r->piece[n] = (struct block_piece){m->bytes, len};
        ch->host.maps++;
        sum += len;
        advance(ch, len);
    }
    return sum;
}

/* Cuts the pieces to `keep` of their bytes. */
static void cut_pieces(struct ide_channel *ch, uint32_t keep)
{
    struct block_request *r = &ch->host.r;
    unsigned n = 0;

    for (; n < ch->host.maps && keep; n++) {
        if (r->piece[n].len > keep)
            r->piece[n].len = keep;
        keep -= r->piece[n].len;
    }
    for (unsigned k = n; k < ch->host.maps; k++)
        r->piece[k].len = 0;
    unmap_from(ch, n);
}

/* How many bytes, whole units, ch->host.r has pieces for; 0 and all as before: it takes the
 * buffer. */
static uint32_t gather(struct ide_channel *ch, uint32_t want, uint32_t unit, bool to_guest)
{
    struct prd_place start = place(ch);
    uint32_t sum = map_runs(ch, want, to_guest), keep = sum / unit * unit;

    if (keep == sum && keep)
        return keep;
    cut_pieces(ch, keep);
    go_back(ch, &start);
    for (uint32_t done = 0; done < keep && next_region(ch);) {
        uint32_t n = run_of(ch, keep - done);

        advance(ch, n);
        done += n;
    }
    return keep;
}

/* ---- requests ---- */

/* The buffer's way. Bytes for the medium come from the guest now. */
static uint32_t bounce(struct ide_channel *ch, uint32_t want, uint32_t unit, bool to_guest)
{
    uint32_t len = want < IDE_BUFFER ? want : IDE_BUFFER / unit * unit;

    if (!next_region(ch))
        return 0;
    if (!to_guest)
        len = ide_bm_copy(ch, ch->buffer, len, false) / unit * unit;
    ch->host.bounced = true;
    ch->host.r.piece[0] = (struct block_piece){ch->buffer, len};
    return len;
}

uint32_t ide_bm_submit(struct ide_channel *ch, enum block_op op, uint64_t offset, uint32_t want,
                       uint32_t unit)
{
    struct block_request *r = &ch->host.r;
    bool to_guest = op == BLOCK_READ;
    uint32_t len = gather(ch, want, unit, to_guest);

    ch->host.bounced = false;
    r->pieces = ch->host.maps;
    if (!len) {
        len = bounce(ch, want, unit, to_guest);
        r->pieces = 1;
    }
    if (!len) {
        ide_bm_short(ch);
        return 0;
    }
    r->op = op;
    r->offset = offset;
    r->len = len;
    ch->step = len;
    ide_submit(ch);
    return len;
}

void ide_bm_drop(struct ide_channel *ch)
{
    unmap_from(ch, 0);
}

bool ide_bm_complete(struct ide_channel *ch)
{
    const struct block_request *r = &ch->host.r;

    unmap_from(ch, 0);
    if (!ch->host.bounced || r->op != BLOCK_READ)
        return true;
    ch->host.bounced = false;
    return ide_bm_copy(ch, ch->buffer, (uint32_t)r->len, true) == r->len;
}

/* ---- starting, stopping ---- */

void ide_bm_run(struct ide_channel *ch)
{
    if (ch->phase == PHASE_DMA && ch->master && (ch->bmis & BMIS_ACTIVE))
        ide_jobs[ch->job].master(ch);
}

void ide_bm_wait(struct ide_channel *ch)
{
    ch->phase = PHASE_DMA;
    ide_bm_run(ch);
}

/* Programming Interface for Bus Master IDE Controller, section 3.1: a table that is longer than the
 * transfer leaves the engine active. */
void ide_bm_finish(struct ide_channel *ch)
{
    if (table_is_done(ch))
        ch->bmis &= (uint8_t)~BMIS_ACTIVE;
}

void ide_bm_short(struct ide_channel *ch)
{
    ch->bmis &= (uint8_t)~BMIS_ACTIVE;
    ide_end_quietly(ch);
}

/* ---- registers (82371SB, section 2.7) ---- */

static void write_bmic(struct ide_channel *ch, uint8_t val)
{
    uint8_t old = ch->bmic;

    ch->bmic = val & (BMIC_SSBM | BMIC_RWCON);
    if (!(val & BMIC_SSBM)) {
        ch->bmis &= (uint8_t)~BMIS_ACTIVE;
    } else if (!(old & BMIC_SSBM)) {
        ch->bmis |= BMIS_ACTIVE;
        ch->prd_next = ch->bmidtp;
        ch->prd_left = 0;
        ch->prd_last = false;
        ide_bm_run(ch);
    }
}

static void write_byte(struct ide_channel *ch, uint32_t off, uint8_t val)
{
    unsigned shift = 8 * (off & 3);

    switch (off) {
    case 0:
        write_bmic(ch, val);
        break;
    case 2:
        ch->bmis &= (uint8_t)(~val | ~(BMIS_ERROR | BMIS_INTR));
        ch->bmis = (uint8_t)((ch->bmis & ~BMIS_CAPABLE) | (val & BMIS_CAPABLE));
        break;
    case 4:
    case 5:
    case 6:
    case 7:
        ch->bmidtp = ((ch->bmidtp & ~(0xffu << shift)) | (uint32_t)val << shift) & ~3u;
        break;
    default:
        break;
    }
}

/* From the last byte to the first: what an access says of status and table is known when it
 * starts. */
static void bm_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct ide_channel *ch = &((struct ide *)dev)->channel[off >> 3 & 1];

    (void)now;
    for (unsigned n = size; n--;)
        write_byte(ch, (off & 7) + n, (uint8_t)(val >> 8 * n));
}

static uint32_t bm_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    const struct ide_channel *ch = &((const struct ide *)dev)->channel[off >> 3 & 1];
    uint32_t low = (uint32_t)ch->bmis << 16 | ch->bmic, val = off & 4 ? ch->bmidtp : low;

    (void)size;
    (void)now;
    return val >> 8 * (off & 3);
}

const struct dev_ops ide_bm_ops = {
    .name = "piix3-bmide",
    .min_size = 1,
    .max_size = 4,
    .read = bm_read,
    .write = bm_write,
};
