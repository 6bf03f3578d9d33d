/* SPDX-License-Identifier: MIT */
/*
 * atapi_toc.c - a disc's table of contents (see ide.h): one session, one track of data, as an image
 * of ISO 9660 is.
 * Source: MMC-3, sections 6.1.16 (READ DISC INFORMATION), 6.1.18 (READ TOC/PMA/ATIP).
 */
#include "devices/ide_priv.h"
#include "include/ring1/mem.h"

#define ADR_DATA 0x14u /* Q channel of mode 1, a track of data */
#define LEAD_OUT 0xaau
#define MSF_BIAS 150u /* frame 0 is at two seconds */

void atapi_put_msf(uint8_t *to, uint32_t lba)
{
    uint64_t frame = (uint64_t)lba + MSF_BIAS;

    to[0] = (uint8_t)(frame / 75 / 60);
    to[1] = (uint8_t)(frame / 75 % 60);
    to[2] = (uint8_t)(frame % 75);
}

/* An address of four bytes, as a number or as minutes, seconds, frames. */
static void put_address(uint8_t *to, uint32_t lba, bool msf)
{
    atapi_put_be(to, msf ? 0 : lba, 4);
    if (msf)
        atapi_put_msf(to + 1, lba);
}

static uint32_t put_track(uint8_t *b, uint8_t number, uint32_t lba, bool msf)
{
    memset(b, 0, 8);
    b[1] = ADR_DATA;
    b[2] = number;
    put_address(b + 4, lba, msf);
    return 8;
}

/* Format 0. 0: no such track. */
static uint32_t toc(const struct ide_channel *ch, uint8_t *b, uint8_t first, bool msf)
{
    uint32_t at = 4;

    if (first > 1 && first != LEAD_OUT)
        return 0;
    b[2] = b[3] = 1; /* first and last track */
    if (first <= 1)
        at += put_track(b + at, 1, 0, msf);
    return at + put_track(b + at, LEAD_OUT, atapi_frames(ch), msf);
}

/* Format 1: where the last session starts. */
static uint32_t sessions(uint8_t *b, bool msf)
{
    b[2] = b[3] = 1;
    return 4 + put_track(b + 4, 1, 0, msf);
}

static uint32_t put_raw(uint8_t *b, uint8_t point, uint8_t p0, uint8_t p1, uint8_t p2)
{
    memset(b, 0, 11);
    b[0] = 1; /* session */
    b[1] = ADR_DATA;
    b[3] = point;
    b[8] = p0;
    b[9] = p1;
    b[10] = p2;
    return 11;
}

/* Format 2: the Q channel of the lead-in. */
static uint32_t raw_toc(const struct ide_channel *ch, uint8_t *b)
{
    uint32_t at = 4;
    uint8_t end[3], start[3];

    atapi_put_msf(end, atapi_frames(ch));
    atapi_put_msf(start, 0);
    b[2] = b[3] = 1;
    at += put_raw(b + at, 0xa0, 1, 0, 0); /* first track, type of disc */
    at += put_raw(b + at, 0xa1, 1, 0, 0); /* last track */
    at += put_raw(b + at, 0xa2, end[0], end[1], end[2]);
    at += put_raw(b + at, 1, start[0], start[1], start[2]);
    return at;
}

/* SFF-8020i had the format in the last byte's upper bits: a guest that sets only those means it. */
void atapi_read_toc(struct ide_channel *ch, const uint8_t *packet)
{
    uint8_t format = packet[2] & 15 ? packet[2] & 15 : packet[9] >> 6, *b = ch->buffer;
    bool msf = packet[1] & 2;
    uint32_t len = 0;

    memset(b, 0, 4);
    if (format == 0)
        len = toc(ch, b, packet[6], msf);
    else if (format == 1)
        len = sessions(b, msf);
    else if (format == 2 && packet[6] <= 1)
        len = raw_toc(ch, b);
    if (!len) {
        atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD);
        return;
    }
    atapi_put_be(b, len - 2, 2);
    atapi_reply(ch, len, atapi_get_be(packet + 7, 2));
}

/* A finished disc of one complete session. */
void atapi_read_disc_information(struct ide_channel *ch, const uint8_t *packet)
{
    uint8_t *b = ch->buffer;

    if (packet[1] & 7) {
        atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD);
        return;
    }
    memset(b, 0, 34);
    b[1] = 32;
    b[2] = 0x0e;                   /* the last session is complete, the disc finished */
    b[3] = b[4] = b[5] = b[6] = 1; /* first track, sessions, first and last track of the last one */
    b[7] = 0x20;                   /* unrestricted use */
    memset(b + 16, 0xff, 8);       /* no lead-in or lead-out to be written */
    atapi_reply(ch, 34, atapi_get_be(packet + 7, 2));
}
