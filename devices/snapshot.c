/* SPDX-License-Identifier: MIT */
/* snapshot.c - see snapshot.h. */
#include "devices/snapshot.h"

#include "include/ring1/mem.h"

/* A section's header: name, version, length of what follows, its checksum. */
#define NAME_LEN   16u
#define AT_VERSION 16u
#define AT_LEN     20u
#define AT_SUM     28u
#define HEADER_LEN 36u

#define SUM_START 0xcbf29ce484222325u
#define SUM_PRIME 0x100000001b3u

static uint64_t get_int(const uint8_t *p, unsigned bytes)
{
    uint64_t val = 0;

    for (unsigned n = 0; n < bytes; n++)
        val |= (uint64_t)p[n] << 8 * n;
    return val;
}

static void put_int(uint8_t *p, uint64_t val, unsigned bytes)
{
    for (unsigned n = 0; n < bytes; n++)
        p[n] = (uint8_t)(val >> 8 * n);
}

/* FNV-1a, eight bytes at once: RAM is long. */
static uint64_t sum(const uint8_t *p, size_t len)
{
    uint64_t h = SUM_START, word;

    for (; len >= sizeof word; p += sizeof word, len -= sizeof word) {
        memcpy(&word, p, sizeof word);
        h = (h ^ word) * SUM_PRIME;
        h ^= h >> 32;
    }
    while (len--)
        h = (h ^ *p++) * SUM_PRIME;
    return h;
}

static void put_name(uint8_t *to, const char *name)
{
    memset(to, 0, NAME_LEN);
    for (unsigned n = 0; n < NAME_LEN - 1 && name[n]; n++)
        to[n] = (uint8_t)name[n];
}

bool snapshot_refuse(struct snapshot *s, const char *why)
{
    if (!s->error)
        s->error = why;
    return false;
}

/* ---- writing ---- */

void snapshot_put(struct snapshot *s, const void *from, size_t len)
{
    if (s->error)
        return;
    if (len > s->size - s->at) {
        snapshot_refuse(s, "the buffer is too small");
        return;
    }
    memcpy(s->bytes + s->at, from, len);
    s->at += len;
}

void snapshot_put_int(struct snapshot *s, uint64_t val, unsigned bytes)
{
    uint8_t le[8];

    put_int(le, val, bytes);
    snapshot_put(s, le, bytes);
}

void snapshot_begin(struct snapshot *s, const char *name, unsigned version)
{
    uint8_t header[HEADER_LEN] = {0};

    put_name(header, name);
    put_int(header + AT_VERSION, version, 4);
    s->section = s->at;
    snapshot_put(s, header, sizeof header);
}

void snapshot_end(struct snapshot *s)
{
    uint8_t *header = s->bytes + s->section;

    if (s->error)
        return;
    size_t len = s->at - s->section - HEADER_LEN;
    put_int(header + AT_LEN, len, 8);
    put_int(header + AT_SUM, sum(header + HEADER_LEN, len), 8);
}

void snapshot_put_device(struct snapshot *s, const struct dev_ops *ops, const void *dev)
{
    snapshot_begin(s, ops->name, ops->version);
    snapshot_put(s, dev, ops->state_size);
    snapshot_end(s);
}

/* ---- reading ---- */

/* The length of the section whose header is at `at`, or false: it does not fit. */
static bool section_len(struct snapshot *s, size_t at, uint64_t *len)
{
    if (s->size - at < HEADER_LEN)
        return snapshot_refuse(s, "it ends in the middle of a section's header");
    *len = get_int(s->bytes + at + AT_LEN, 8);
    if (*len > s->size - at - HEADER_LEN)
        return snapshot_refuse(s, "it ends in the middle of a section");
    return true;
}

bool snapshot_check(struct snapshot *s)
{
    uint64_t len = 0;

    for (size_t at = s->at; at < s->size; at += HEADER_LEN + (size_t)len) {
        const uint8_t *header = s->bytes + at;

        if (!section_len(s, at, &len))
            return false;
        if (get_int(header + AT_SUM, 8) != sum(header + HEADER_LEN, (size_t)len))
            return snapshot_refuse(s, "a section is damaged");
    }
    return true;
}

bool snapshot_open(struct snapshot *s, const char *name, unsigned version)
{
    uint8_t wanted[NAME_LEN];
    uint64_t len = 0;

    if (s->error || !section_len(s, s->at, &len))
        return false;
    put_name(wanted, name);
    if (memcmp(s->bytes + s->at, wanted, NAME_LEN) != 0)
        return snapshot_refuse(s, "it is of another machine: a section is missing");
    if (get_int(s->bytes + s->at + AT_VERSION, 4) != version)
        return snapshot_refuse(s, "a section has a version that is not known");
    s->section = s->at;
    s->at += HEADER_LEN;
    s->section_end = s->at + (size_t)len;
    return true;
}

bool snapshot_get(struct snapshot *s, void *to, size_t len)
{
    if (!s->error && len <= s->section_end - s->at) {
        memcpy(to, s->bytes + s->at, len);
        s->at += len;
        return true;
    }
    memset(to, 0, len);
    return snapshot_refuse(s, "a section is too short");
}

uint64_t snapshot_get_int(struct snapshot *s, unsigned bytes)
{
    uint8_t le[8];

    snapshot_get(s, le, bytes);
    return get_int(le, bytes);
}

bool snapshot_close(struct snapshot *s)
{
    if (!s->error && s->at != s->section_end)
        snapshot_refuse(s, "a section is too long");
    return !s->error;
}

static bool fits(const struct state_rule *r, const uint8_t *state)
{
    for (unsigned n = 0; n < r->count; n++) {
        uint64_t val = get_int(state + r->at + (size_t)n * r->stride, r->size);

        if (val < r->min || val > r->max)
            return false;
    }
    return true;
}

bool snapshot_get_device(struct snapshot *s, const struct dev_ops *ops, void *dev)
{
    if (!snapshot_open(s, ops->name, ops->version))
        return false;
    if (s->section_end - s->at != ops->state_size)
        return snapshot_refuse(s, "a chip's section has another length");
    for (unsigned n = 0; n < ops->rule_count; n++)
        if (!fits(&ops->rules[n], s->bytes + s->at))
            return snapshot_refuse(s, "a chip's state is impossible");
    snapshot_get(s, dev, ops->state_size);
    return snapshot_close(s);
}
