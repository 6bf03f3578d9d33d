/* SPDX-License-Identifier: MIT */
/*
 * atapi_cmd.c - a CD-ROM drive's packet commands (see ide.h), as a table.
 *
 * After a change of the medium a guest sees an empty drive once, then UNIT ATTENTION once: those
 * that only ask whether a medium is there notice it as well.
 * Source     MMC-3, section 6; SFF-8020i; SPC-2.
 */
#include "devices/ide_priv.h"
#include "include/ring1/mem.h"

#define NEEDS_MEDIUM 1u
#define ANY_TIME     2u /* also while UNIT ATTENTION waits */

#define CD_FRAMES_MAX (80u * 60 * 75) /* more is a DVD */
#define PROFILE_DVD   0x0010u
#define PROFILE_CD    0x0008u
#define DEFAULT_SPEED 0x02c2u /* 706 KB/s: four times the speed of sound */
#define EVENT_MEDIA   4u
#define EVENT_EJECT   1u
#define EVENT_NEW     2u

void atapi_put_be(uint8_t *to, uint32_t value, unsigned bytes)
{
    for (unsigned n = 0; n < bytes; n++)
        to[n] = (uint8_t)(value >> 8 * (bytes - 1 - n));
}

uint32_t atapi_get_be(const uint8_t *from, unsigned bytes)
{
    uint32_t value = 0;

    for (unsigned n = 0; n < bytes; n++)
        value = value << 8 | from[n];
    return value;
}

uint32_t atapi_frames(const struct ide_channel *ch)
{
    struct blockdev_info info;
    uint64_t frames;

    if (ch->drive[ch->active].cd.tray_open)
        return 0;
    blockdev_info(ide_back(ch), &info);
    frames = info.size / CD_FRAME;
    return frames < UINT32_MAX ? (uint32_t)frames : UINT32_MAX;
}

static void bad_field(struct ide_channel *ch)
{
    atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD);
}

/* ---- who is there ---- */

static void test_unit_ready(struct ide_channel *ch, const uint8_t *packet)
{
    (void)packet;
    atapi_end(ch);
}

static void request_sense(struct ide_channel *ch, const uint8_t *packet)
{
    struct ide_cd *cd = &ide_active(ch)->cd;
    uint8_t room = packet[4], *b = ch->buffer;

    memset(b, 0, 18);
    b[0] = 0x70; /* a current error, fixed format */
    b[2] = cd->key;
    b[7] = 10;
    b[12] = cd->asc;
    b[13] = cd->ascq;
    cd->key = SENSE_NONE;
    cd->asc = cd->ascq = 0;
    atapi_reply(ch, 18, room);
}

static void inquiry(struct ide_channel *ch, const uint8_t *packet)
{
    static const char names[] = "RING1   "
                                "CD-ROM          "
                                "1.0 ";
    uint8_t room = packet[4], *b = ch->buffer;

    if ((packet[1] & 3) || packet[2]) { /* vital product data: none */
        bad_field(ch);
        return;
    }
    memset(b, 0, 8);
    b[0] = 5;    /* CD-ROM */
    b[1] = 0x80; /* removable */
    b[3] = 0x21; /* ATAPI-2, response format 1 */
    b[4] = 31;
    memcpy(b + 8, names, 28);
    atapi_reply(ch, 36, room);
}

/* ---- the medium ---- */

static void read_capacity(struct ide_channel *ch, const uint8_t *packet)
{
    (void)packet;
    atapi_put_be(ch->buffer, atapi_frames(ch) - 1, 4);
    atapi_put_be(ch->buffer + 4, CD_FRAME, 4);
    atapi_reply(ch, 8, 8);
}

/* Frames [lba, lba + count) to the guest. */
static void read_frames(struct ide_channel *ch, uint32_t lba, uint32_t count, uint16_t frame)
{
    uint32_t frames = atapi_frames(ch);

    if (lba > frames || count > frames - lba) {
        atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
        return;
    }
    ch->lba = lba;
    ch->left = count;
    ch->frame = frame;
    atapi_read(ch);
}

static void read_10(struct ide_channel *ch, const uint8_t *packet)
{
    read_frames(ch, atapi_get_be(packet + 2, 4), atapi_get_be(packet + 7, 2), CD_FRAME);
}

static void read_12(struct ide_channel *ch, const uint8_t *packet)
{
    read_frames(ch, atapi_get_be(packet + 2, 4), atapi_get_be(packet + 6, 4), CD_FRAME);
}

/* MMC-3, section 6.1.15: nothing, the user's data, or all of a frame. */
static void read_cd(struct ide_channel *ch, const uint8_t *packet)
{
    uint32_t lba = atapi_get_be(packet + 2, 4), count = atapi_get_be(packet + 6, 3);

    switch (packet[9] & 0xf8) {
    case 0x00:
        atapi_end(ch);
        break;
    case 0x10:
        read_frames(ch, lba, count, CD_FRAME);
        break;
    case 0xf8:
        read_frames(ch, lba, count, CD_FRAME_RAW);
        break;
    default:
        bad_field(ch);
    }
}

static void seek(struct ide_channel *ch, const uint8_t *packet)
{
    if (atapi_get_be(packet + 2, 4) < atapi_frames(ch))
        atapi_end(ch);
    else
        atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE);
}

/* ---- the tray ---- */

/* LoEj and Start: 2 opens, 3 closes; spinning up and down is nothing. */
static void start_stop_unit(struct ide_channel *ch, const uint8_t *packet)
{
    struct ide_cd *cd = &ide_active(ch)->cd;
    const struct blockdev *b = ide_back(ch);
    bool open = !(packet[4] & 1);

    if (!(packet[4] & 2)) {
        atapi_end(ch);
        return;
    }
    if (open && !cd->tray_open && cd->locked) {
        atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_REMOVAL_PREVENTED);
        return;
    }
    if (open != cd->tray_open) {
        cd->tray_open = open;
        cd->eject_wanted = false;
        if (b->eject)
            b->eject(b->opaque, open);
    }
    atapi_end(ch);
}

static void prevent_allow(struct ide_channel *ch, const uint8_t *packet)
{
    struct ide_cd *cd = &ide_active(ch)->cd;
    const struct blockdev *b = ide_back(ch);

    cd->locked = packet[4] & 1;
    if (b->lock)
        b->lock(b->opaque, cd->locked);
    atapi_end(ch);
}

static void mechanism_status(struct ide_channel *ch, const uint8_t *packet)
{
    memset(ch->buffer, 0, 8);
    ch->buffer[1] = ide_active(ch)->cd.tray_open ? 0x10 : 0;
    ch->buffer[5] = 1; /* no changer: one slot, no table */
    atapi_reply(ch, 8, atapi_get_be(packet + 8, 2));
}

static void get_event_status(struct ide_channel *ch, const uint8_t *packet)
{
    struct ide_cd *cd = &ide_active(ch)->cd;
    uint8_t *b = ch->buffer, code = 0;
    bool media = packet[4] >> EVENT_MEDIA & 1;

    if (!(packet[1] & 1)) { /* only by polling */
        bad_field(ch);
        return;
    }
    memset(b, 0, 8);
    b[3] = 1u << EVENT_MEDIA;
    if (media) {
        b[1] = 6;
        b[2] = EVENT_MEDIA;
        code = cd->new_media ? EVENT_NEW : cd->eject_wanted ? EVENT_EJECT : 0;
        b[4] = code;
        b[5] = (uint8_t)((cd->tray_open ? 1 : 0) | (atapi_frames(ch) ? 2 : 0));
        cd->new_media &= code != EVENT_NEW;
        cd->eject_wanted &= code != EVENT_EJECT;
    } else {
        b[1] = 2;
        b[2] = 0x80; /* none of the classes that were asked for */
    }
    atapi_reply(ch, media ? 8 : 4, atapi_get_be(packet + 7, 2));
}

/* ---- what it can ---- */

static uint32_t put_feature(uint8_t *b, uint16_t code, uint8_t flags, uint8_t more)
{
    memset(b, 0, 4u + more);
    atapi_put_be(b, code, 2);
    b[2] = flags;
    b[3] = more;
    return 4u + more;
}

/* MMC-3, section 6.1.4: profiles, core, removable medium, and nothing that is optional. */
static void get_configuration(struct ide_channel *ch, const uint8_t *packet)
{
    uint8_t *b = ch->buffer;
    uint32_t frames = atapi_frames(ch), at = 8;
    uint16_t profile = frames > CD_FRAMES_MAX ? PROFILE_DVD : frames ? PROFILE_CD : 0;

    if ((packet[1] & 3) == 3 || packet[2] || packet[3]) {
        bad_field(ch);
        return;
    }
    memset(b, 0, 8);
    atapi_put_be(b + 6, profile, 2);
    at += put_feature(b + at, 0x0000, 0x03, 8);
    atapi_put_be(b + at - 8, PROFILE_DVD, 2);
    b[at - 6] = profile == PROFILE_DVD;
    atapi_put_be(b + at - 4, PROFILE_CD, 2);
    b[at - 2] = profile == PROFILE_CD;
    at += put_feature(b + at, 0x0001, 0x0b, 8);
    b[at - 5] = 2; /* ATAPI */
    b[at - 4] = 1; /* DBEvent */
    at += put_feature(b + at, 0x0003, 0x03, 4);
    b[at - 4] = 0x39; /* a tray that opens and locks */
    atapi_put_be(b, at - 4, 4);
    atapi_reply(ch, at, atapi_get_be(packet + 7, 2));
}

/* Page `code` behind a header of `head` bytes; 0: there is no such page. */
static uint32_t mode_page(const struct ide_channel *ch, uint8_t *b, uint8_t code)
{
    const struct ide_cd *cd = &ch->drive[ch->active].cd;

    switch (code) {
    case 0x01: /* error recovery */
        memset(b, 0, 8);
        b[0] = 0x01;
        b[1] = 6;
        b[3] = 5; /* retries */
        return 8;
    case 0x2a: /* capabilities and mechanical status */
        memset(b, 0, 22);
        b[0] = 0x2a;
        b[1] = 20;
        b[2] = 0x3b; /* reads CD-R, CD-RW, DVD-ROM, DVD-R, method 2 */
        b[4] = 0x70; /* mode 2 forms 1 and 2, multi-session */
        b[6] = (uint8_t)(0x29 | (cd->locked ? 2 : 0)); /* a tray that ejects and locks */
        atapi_put_be(b + 8, DEFAULT_SPEED, 2);
        atapi_put_be(b + 12, IDE_BUFFER >> 10, 2);
        atapi_put_be(b + 14, DEFAULT_SPEED, 2);
        return 22;
    default:
        return 0;
    }
}

/* SFF-8020i, section 10.8.6: current values; SPC-2 for the six-byte form. */
static void mode_sense(struct ide_channel *ch, const uint8_t *packet)
{
    bool ten = packet[0] == 0x5a;
    uint32_t head = ten ? 8 : 4, room = ten ? atapi_get_be(packet + 7, 2) : packet[4], len = 0;
    uint8_t code = packet[2] & 0x3f, *b = ch->buffer;

    if (packet[2] >> 6 == 3) {
        atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_NOT_SAVED);
        return;
    }
    memset(b, 0, head);
    if (code == 0x3f)
        len = mode_page(ch, b + head, 0x01);
    len += mode_page(ch, b + head + len, code == 0x3f ? 0x2a : code);
    if (!len) {
        bad_field(ch);
        return;
    }
    if (packet[2] >> 6 == 1) /* which values may be changed: none */
        for (uint32_t n = 2; n < len; n++)
            b[head + n] = 0;
    if (ten)
        atapi_put_be(b, head + len - 2, 2);
    else
        b[0] = (uint8_t)(head + len - 1);
    b[ten ? 2 : 1] = !atapi_frames(ch) ? 0x70 : 0x01; /* no disc, or one of data */
    if (ide_active(ch)->cd.tray_open)
        b[ten ? 2 : 1] = 0x71;
    atapi_reply(ch, head + len, room);
}

static void set_speed(struct ide_channel *ch, const uint8_t *packet)
{
    (void)packet;
    atapi_end(ch);
}

/* ---- the table ---- */

static const struct packet_command {
    void (*run)(struct ide_channel *ch, const uint8_t *packet);
    uint8_t flags;
} commands[256] = {
    [0x00] = {test_unit_ready, NEEDS_MEDIUM},
    [0x03] = {request_sense, ANY_TIME},
    [0x12] = {inquiry, ANY_TIME},
    [0x1a] = {mode_sense, 0},
    [0x1b] = {start_stop_unit, 0},
    [0x1e] = {prevent_allow, 0},
    [0x25] = {read_capacity, NEEDS_MEDIUM},
    [0x28] = {read_10, NEEDS_MEDIUM},
    [0x2b] = {seek, NEEDS_MEDIUM},
    [0x43] = {atapi_read_toc, NEEDS_MEDIUM},
    [0x46] = {get_configuration, ANY_TIME},
    [0x4a] = {get_event_status, ANY_TIME},
    [0x51] = {atapi_read_disc_information, NEEDS_MEDIUM},
    [0x5a] = {mode_sense, 0},
    [0xa8] = {read_12, NEEDS_MEDIUM},
    [0xbb] = {set_speed, 0},
    [0xbd] = {mechanism_status, 0},
    [0xbe] = {read_cd, NEEDS_MEDIUM},
};

/* The medium was changed: true, and the command is answered with that. */
static bool tells_change(struct ide_channel *ch)
{
    struct ide_cd *cd = &ide_active(ch)->cd;

    if (!cd->changed || !atapi_frames(ch))
        return false;
    if (cd->changed == 1) {
        cd->changed = 2;
        atapi_fail(ch, SENSE_NOT_READY, ASC_NO_MEDIUM);
    } else {
        cd->changed = 0;
        atapi_fail(ch, SENSE_UNIT_ATTENTION, ASC_MEDIUM_CHANGED);
    }
    return true;
}

void atapi_packet(struct ide_channel *ch)
{
    struct ide_cd *cd = &ide_active(ch)->cd;
    const struct packet_command *c = &commands[ch->buffer[0]];
    uint8_t packet[12];

    memcpy(packet, ch->buffer, sizeof packet);
    if (!c->run) {
        atapi_fail(ch, SENSE_ILLEGAL_REQUEST, ASC_INVALID_COMMAND);
        return;
    }
    if (!(c->flags & ANY_TIME) && tells_change(ch))
        return;
    if ((c->flags & NEEDS_MEDIUM) && !atapi_frames(ch)) {
        atapi_fail(ch, SENSE_NOT_READY, cd->tray_open ? ASC_NO_MEDIUM_OPEN : ASC_NO_MEDIUM_CLOSED);
        return;
    }
    if (!(c->flags & ANY_TIME))
        cd->key = cd->asc = cd->ascq = 0;
    c->run(ch, packet);
}

/* ---- the host's side ---- */

static void medium_changed(void *opaque, ns_t now)
{
    const struct ide_door *door = opaque;
    struct ide_drive *d = &door->channel->drive[door->n];
    struct blockdev_info info;

    (void)now;
    if (d->kind != DRIVE_CD)
        return;
    blockdev_info(&door->channel->config[door->n].block, &info);
    d->cd.changed = 1;
    d->cd.new_media = info.size != 0;
    d->cd.eject_wanted = false;
    d->cd.tray_open = info.size == 0;
}

static void eject_wanted(void *opaque, ns_t now)
{
    const struct ide_door *door = opaque;
    struct ide_drive *d = &door->channel->drive[door->n];

    (void)now;
    if (d->kind == DRIVE_CD)
        d->cd.eject_wanted = true;
}

struct blockdev_sink ide_sink(struct ide_channel *ch, unsigned n)
{
    return (struct blockdev_sink){&ch->door[n & 1], medium_changed, eject_wanted};
}
