/* SPDX-License-Identifier: MIT */
/*
 * i8042.c - keyboard controller, keyboard and mouse. See i8042.h.
 *
 * Three queues feed the one output buffer: answers of the controller (at once, before all others),
 * the keyboard, the mouse (each byte some time after the last one was taken from a device, as a
 * serial line would, so that a guest that reads port 60h twice does not swallow the next byte). A
 * device whose clock the command byte stops keeps its bytes.
 */
#include "devices/i8042.h"

#include "include/ring1/mem.h"

#define BYTE_NS 400000ull

#define STATUS_OBF       0x01
#define STATUS_SYS       0x04
#define STATUS_A2        0x08
#define STATUS_UNLOCKED  0x10
#define STATUS_AUX       0x20
#define CMD_KBD_INT      0x01
#define CMD_AUX_INT      0x02
#define CMD_SYS          0x04
#define CMD_KBD_OFF      0x10
#define CMD_AUX_OFF      0x20
#define CMD_XLAT         0x40
#define OUT_RESET        0x01 /* 0 resets the machine */
#define OUT_A20          0x02
#define OUT_IRQ1         0x10
#define OUT_IRQ12        0x20
#define DEV_ACK          0xfa
#define DEV_RESEND       0xfe
#define DEV_SELF_TEST_OK 0xaa

/* Scan code set 2 to set 1, for codes below 0x80. 0x83 and 0x84 are done apart. */
static const uint8_t set2_to_set1[128] = {
    0xff, 0x43, 0x41, 0x3f, 0x3d, 0x3b, 0x3c, 0x58, 0x64, 0x44, 0x42, 0x40, 0x3e, 0x0f, 0x29, 0x59,
    0x65, 0x38, 0x2a, 0x70, 0x1d, 0x10, 0x02, 0x5a, 0x66, 0x71, 0x2c, 0x1f, 0x1e, 0x11, 0x03, 0x5b,
    0x67, 0x2e, 0x2d, 0x20, 0x12, 0x05, 0x04, 0x5c, 0x68, 0x39, 0x2f, 0x21, 0x14, 0x13, 0x06, 0x5d,
    0x69, 0x31, 0x30, 0x23, 0x22, 0x15, 0x07, 0x5e, 0x6a, 0x72, 0x32, 0x24, 0x16, 0x08, 0x09, 0x5f,
    0x6b, 0x33, 0x25, 0x17, 0x18, 0x0b, 0x0a, 0x60, 0x6c, 0x34, 0x35, 0x26, 0x27, 0x19, 0x0c, 0x61,
    0x6d, 0x73, 0x28, 0x74, 0x1a, 0x0d, 0x62, 0x6e, 0x3a, 0x36, 0x1c, 0x1b, 0x75, 0x2b, 0x63, 0x76,
    0x55, 0x56, 0x77, 0x78, 0x79, 0x7a, 0x0e, 0x7b, 0x7c, 0x4f, 0x7d, 0x4b, 0x47, 0x7e, 0x7f, 0x6f,
    0x52, 0x53, 0x50, 0x4c, 0x4d, 0x48, 0x01, 0x45, 0x57, 0x4e, 0x51, 0x4a, 0x37, 0x49, 0x46, 0x54,
};

static bool queue_put(struct i8042_queue *q, uint8_t byte)
{
    if (q->count == I8042_QUEUE)
        return false;
    q->byte[(q->head + q->count++) % I8042_QUEUE] = byte;
    return true;
}

static uint8_t queue_get(struct i8042_queue *q)
{
    uint8_t byte = q->byte[q->head];

    q->head = (uint8_t)((q->head + 1) % I8042_QUEUE);
    q->count--;
    return byte;
}

static void queue_clear(struct i8042_queue *q)
{
    q->head = q->count = 0;
}

static uint8_t command_byte(const struct i8042 *k)
{
    return k->ram[0];
}

static void lines_update(struct i8042 *k)
{
    bool irq1 = k->obf && !k->obf_aux && (command_byte(k) & CMD_KBD_INT);
    bool irq12 = k->obf && k->obf_aux && (command_byte(k) & CMD_AUX_INT);

    if (irq1 != k->irq1_level) {
        k->irq1_level = irq1;
        wire_set(&k->irq1, irq1);
    }
    if (irq12 != k->irq12_level) {
        k->irq12_level = irq12;
        wire_set(&k->irq12, irq12);
    }
}

/* Takes the next keyboard byte, translated, to *out; false: it was a prefix, nothing to show. */
static bool keyboard_take(struct i8042 *k, uint8_t *out)
{
    uint8_t byte = queue_get(&k->kbd);

    if (!(command_byte(k) & CMD_XLAT)) {
        *out = byte;
        return true;
    }
    if (byte == 0xf0) {
        k->kbd_break = true;
        return false;
    }
    if (byte < 0x80)
        byte = set2_to_set1[byte];
    else if (byte == 0x83)
        byte = 0x41;
    else if (byte == 0x84)
        byte = 0x54;
    *out = k->kbd_break ? byte | 0x80 : byte;
    k->kbd_break = false;
    return true;
}

static bool device_waits(const struct i8042 *k)
{
    return (k->kbd.count && !(command_byte(k) & CMD_KBD_OFF)) ||
           (k->aux.count && !(command_byte(k) & CMD_AUX_OFF));
}

/* Fills the output buffer if it is empty and something is due. */
static void buffer_fill(struct i8042 *k, ns_t now)
{
    if (!k->obf && k->reply.count) {
        k->obf_aux = k->reply_aux[k->reply.head];
        k->obf_data = queue_get(&k->reply);
        k->obf = true;
    }
    while (!k->obf && now >= k->next_byte_at && device_waits(k)) {
        if (k->kbd.count && !(command_byte(k) & CMD_KBD_OFF)) {
            k->obf = keyboard_take(k, &k->obf_data);
            k->obf_aux = false;
        } else {
            k->obf_data = queue_get(&k->aux);
            k->obf = k->obf_aux = true;
        }
        if (k->obf)
            k->next_byte_at = now + BYTE_NS;
    }
    lines_update(k);
}

static void reply(struct i8042 *k, uint8_t byte, bool aux)
{
    unsigned at = (k->reply.head + k->reply.count) % I8042_QUEUE;

    if (queue_put(&k->reply, byte))
        k->reply_aux[at] = aux;
}

static void output_port_write(struct i8042 *k, uint8_t val)
{
    k->output_port = val;
    wire_set(&k->a20, (val & OUT_A20) != 0);
    if (!(val & OUT_RESET))
        wire_pulse(&k->reset);
}

static void keyboard_defaults(struct i8042 *k)
{
    k->kbd_set = 2;
    k->kbd_rate = 0x2b;
    k->kbd_leds = 0;
    k->kbd_command = 0;
}

static void keyboard_argument(struct i8042 *k, uint8_t byte)
{
    uint8_t command = k->kbd_command;

    k->kbd_command = 0;
    switch (command) {
    case 0xed:
        k->kbd_leds = byte & 7;
        break;
    case 0xf0:
        if (byte > 3) {
            queue_put(&k->kbd, DEV_RESEND);
            return;
        }
        queue_put(&k->kbd, DEV_ACK);
        if (byte == 0)
            queue_put(&k->kbd, k->kbd_set);
        else
            k->kbd_set = byte;
        return;
    case 0xf3:
        k->kbd_rate = byte & 0x7f;
        break;
    default: /* 0xfb-0xfd: key types matter to set 3 only */
        break;
    }
    queue_put(&k->kbd, DEV_ACK);
}

/* A byte from the host to the keyboard. */
static void keyboard_write(struct i8042 *k, uint8_t byte)
{
    if (k->kbd_command && byte < 0xed) {
        keyboard_argument(k, byte);
        return;
    }
    k->kbd_command = 0;
    if (byte == 0xfe) {
        queue_put(&k->kbd, k->kbd_last);
        return;
    }
    queue_clear(&k->kbd);
    k->kbd_break = false;
    k->kbd_last = DEV_ACK;
    switch (byte) {
    case 0xed: /* set LEDs */
    case 0xf0: /* scan code set */
    case 0xf3: /* typematic rate */
    case 0xfb:
    case 0xfc:
    case 0xfd:
        k->kbd_command = byte;
        queue_put(&k->kbd, DEV_ACK);
        break;
    case 0xee:
        k->kbd_last = 0xee;
        queue_put(&k->kbd, 0xee);
        break;
    case 0xf2:
        queue_put(&k->kbd, DEV_ACK);
        queue_put(&k->kbd, 0xab);
        queue_put(&k->kbd, 0x83);
        break;
    case 0xf4:
        k->kbd_enabled = true;
        queue_put(&k->kbd, DEV_ACK);
        break;
    case 0xf5:
    case 0xf6:
        keyboard_defaults(k);
        k->kbd_enabled = byte == 0xf6;
        queue_put(&k->kbd, DEV_ACK);
        break;
    case 0xf7:
    case 0xf8:
    case 0xf9:
    case 0xfa:
        queue_put(&k->kbd, DEV_ACK);
        break;
    case 0xff:
        keyboard_defaults(k);
        k->kbd_enabled = true;
        k->kbd_last = DEV_SELF_TEST_OK;
        queue_put(&k->kbd, DEV_ACK);
        queue_put(&k->kbd, DEV_SELF_TEST_OK);
        break;
    default:
        k->kbd_last = DEV_RESEND;
        queue_put(&k->kbd, DEV_RESEND);
        break;
    }
}

static void mouse_defaults(struct i8042 *k)
{
    k->aux_rate = 100;
    k->aux_resolution = 2;
    k->aux_scale21 = k->aux_remote = k->aux_enabled = k->aux_wrap = false;
    k->aux_command = 0;
}

static void mouse_say(struct i8042 *k, const uint8_t *bytes, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        queue_put(&k->aux, bytes[i]);
    k->aux_last = bytes[len - 1];
}

/* Everything that a command changes in the mouse; false: no such command. */
static bool mouse_command(struct i8042 *k, uint8_t byte)
{
    switch (byte) {
    case 0xe6:
    case 0xe7:
        k->aux_scale21 = byte == 0xe7;
        return true;
    case 0xe8:
    case 0xf3:
        k->aux_command = byte;
        return true;
    case 0xea:
    case 0xf0:
        k->aux_remote = byte == 0xf0;
        return true;
    case 0xec:
    case 0xee:
        k->aux_wrap = byte == 0xee;
        return true;
    case 0xf4:
    case 0xf5:
        k->aux_enabled = byte == 0xf4;
        return true;
    case 0xf6:
    case 0xff:
        mouse_defaults(k);
        return true;
    default:
        return byte == 0xe9 || byte == 0xeb || byte == 0xf2;
    }
}

/* A byte from the host to the mouse. */
static void mouse_write(struct i8042 *k, uint8_t byte)
{
    const uint8_t ack[] = {DEV_ACK}, resend[] = {DEV_RESEND};

    if (k->aux_wrap && byte != 0xec && byte != 0xff) {
        mouse_say(k, &byte, 1);
        return;
    }
    if (k->aux_command) {
        if (k->aux_command == 0xf3)
            k->aux_rate = byte;
        else
            k->aux_resolution = byte & 3;
        k->aux_command = 0;
        mouse_say(k, ack, 1);
        return;
    }
    if (byte == 0xfe) {
        mouse_say(k, &k->aux_last, 1);
        return;
    }
    queue_clear(&k->aux);
    if (!mouse_command(k, byte)) {
        mouse_say(k, resend, 1);
        return;
    }
    mouse_say(k, ack, 1);
    if (byte == 0xff) {
        mouse_say(k, (const uint8_t[]){DEV_SELF_TEST_OK, 0x00}, 2);
    } else if (byte == 0xf2) {
        mouse_say(k, (const uint8_t[]){0x00}, 1);
    } else if (byte == 0xe9) {
        uint8_t flags = (uint8_t)((k->aux_remote ? 0x40 : 0) | (k->aux_enabled ? 0x20 : 0) |
                                  (k->aux_scale21 ? 0x10 : 0));

        mouse_say(k, (const uint8_t[]){flags, k->aux_resolution, k->aux_rate}, 3);
    } else if (byte == 0xeb) {
        mouse_say(k, (const uint8_t[]){0x08, 0, 0}, 3); /* nothing moved, no button */
    }
}

/* Commands that only answer or only switch a bit. */
static void controller_command(struct i8042 *k, uint8_t byte)
{
    uint8_t *command = &k->ram[0];

    switch (byte) {
    case 0xa4: /* password installed? no */
        reply(k, 0xf1, false);
        break;
    case 0xa7:
        *command |= CMD_AUX_OFF;
        break;
    case 0xa8:
        *command &= (uint8_t)~CMD_AUX_OFF;
        break;
    case 0xa9: /* test of the aux interface: no fault */
    case 0xab: /* ... of the keyboard interface */
        reply(k, 0x00, false);
        break;
    case 0xaa:
        *command |= CMD_SYS;
        reply(k, 0x55, false);
        break;
    case 0xad:
        *command |= CMD_KBD_OFF;
        break;
    case 0xae:
        *command &= (uint8_t)~CMD_KBD_OFF;
        break;
    case 0xc0: /* input port: keyboard not locked */
        reply(k, 0x80, false);
        break;
    case 0xd0:
        reply(k,
              (uint8_t)((k->output_port & ~(OUT_IRQ1 | OUT_IRQ12)) |
                        (k->irq1_level ? OUT_IRQ1 : 0) | (k->irq12_level ? OUT_IRQ12 : 0)),
              false);
        break;
    case 0xd1:
    case 0xd2:
    case 0xd3:
    case 0xd4:
        k->pending = byte;
        break;
    case 0xdd:
    case 0xdf:
        output_port_write(k, (uint8_t)((k->output_port & ~OUT_A20) | (byte & OUT_A20)));
        break;
    case 0xe0: /* test inputs: clock and data lines idle low */
        reply(k, 0x00, false);
        break;
    default: /* no command, or one that has no effect here */
        break;
    }
}

static void command_write(struct i8042 *k, uint8_t byte)
{
    k->pending = 0;
    if (byte >= 0x20 && byte <= 0x3f)
        reply(k, k->ram[byte & 0x1f], false);
    else if (byte >= 0x60 && byte <= 0x7f)
        k->pending = byte;
    else if (byte >= 0xf0) {
        if (!(byte & OUT_RESET)) /* pulse output port bits; bit 0 resets */
            wire_pulse(&k->reset);
    } else {
        controller_command(k, byte);
    }
}

static void data_write(struct i8042 *k, uint8_t byte)
{
    uint8_t pending = k->pending;

    k->pending = 0;
    switch (pending) {
    case 0:
        k->ram[0] &= (uint8_t)~CMD_KBD_OFF;
        keyboard_write(k, byte);
        break;
    case 0xd1:
        output_port_write(k, byte);
        break;
    case 0xd2:
        reply(k, byte, false);
        break;
    case 0xd3:
        reply(k, byte, true);
        break;
    case 0xd4:
        k->ram[0] &= (uint8_t)~CMD_AUX_OFF;
        mouse_write(k, byte);
        break;
    default:
        k->ram[pending & 0x1f] = byte;
        break;
    }
}

static void kbc_kick(struct i8042 *k)
{
    if (!k->obf && device_waits(k))
        wire_set(&k->kick, true);
}

static void kbc_write(void *dev, uint32_t off, unsigned size, uint32_t val, ns_t now)
{
    struct i8042 *k = dev;

    (void)size;
    k->last_was_command = (off & 4) != 0;
    if (off & 4)
        command_write(k, (uint8_t)val);
    else
        data_write(k, (uint8_t)val);
    buffer_fill(k, now);
    kbc_kick(k);
}

static uint32_t kbc_read(void *dev, uint32_t off, unsigned size, ns_t now)
{
    struct i8042 *k = dev;
    uint8_t val;

    (void)size;
    buffer_fill(k, now);
    if (off & 4)
        return STATUS_UNLOCKED | (k->obf ? STATUS_OBF : 0) |
               (command_byte(k) & CMD_SYS ? STATUS_SYS : 0) |
               (k->last_was_command ? STATUS_A2 : 0) | (k->obf && k->obf_aux ? STATUS_AUX : 0);
    val = k->obf_data; /* an empty buffer shows the last byte again */
    if (k->obf) {
        k->obf = false;
        lines_update(k); /* falls, so that the next byte makes an edge */
        buffer_fill(k, now);
        kbc_kick(k);
    }
    return val;
}

static ns_t kbc_run_until(void *dev, ns_t now)
{
    struct i8042 *k = dev;

    buffer_fill(k, now);
    return !k->obf && device_waits(k) ? k->next_byte_at : NS_NEVER;
}

bool i8042_key(struct i8042 *k, uint8_t scancode, ns_t now)
{
    if (!k->kbd_enabled || !queue_put(&k->kbd, scancode)) {
        k->keys_dropped++;
        return false;
    }
    k->kbd_last = scancode;
    buffer_fill(k, now);
    kbc_kick(k);
    return true;
}

void i8042_a20_follow(struct i8042 *k, bool level)
{
    k->output_port = (uint8_t)((k->output_port & ~OUT_A20) | (level ? OUT_A20 : 0));
}

/*
 * The machine's reset. The command byte is what firmware leaves (translation, system flag, keyboard
 * interrupt, aux off): a kernel that is loaded without firmware expects it. A20 is open.
 */
static void kbc_reset(void *dev)
{
    struct i8042 *k = dev;

    memset(k, 0, offsetof(struct i8042, keys_dropped));
    k->ram[0] = CMD_XLAT | CMD_SYS | CMD_KBD_INT | CMD_AUX_OFF;
    k->output_port = 0xc0 | OUT_A20 | OUT_RESET;
    k->kbd_enabled = true;
    keyboard_defaults(k);
    mouse_defaults(k);
    k->kbd_last = k->aux_last = DEV_SELF_TEST_OK;
    wire_set(&k->irq1, false);
    wire_set(&k->irq12, false);
}

void i8042_init(struct i8042 *k, struct wire irq1, struct wire irq12, struct wire a20,
                struct wire reset, struct wire kick)
{
    memset(k, 0, sizeof(*k));
    k->irq1 = irq1;
    k->irq12 = irq12;
    k->a20 = a20;
    k->reset = reset;
    k->kick = kick;
    kbc_reset(k);
}

/* What the code above counts on when the state comes from a file. */
static const struct state_rule rules[] = {
    STATE_RULE(struct i8042, reply.head, 0, I8042_QUEUE - 1),
    STATE_RULE(struct i8042, reply.count, 0, I8042_QUEUE),
    STATE_RULE(struct i8042, kbd.head, 0, I8042_QUEUE - 1),
    STATE_RULE(struct i8042, kbd.count, 0, I8042_QUEUE),
    STATE_RULE(struct i8042, aux.head, 0, I8042_QUEUE - 1),
    STATE_RULE(struct i8042, aux.count, 0, I8042_QUEUE),
    STATE_BOOL(struct i8042, last_was_command),
    STATE_BOOL(struct i8042, obf),
    STATE_BOOL(struct i8042, obf_aux),
    STATE_BOOL(struct i8042, irq1_level),
    STATE_BOOL(struct i8042, irq12_level),
    STATE_BOOL(struct i8042, kbd_enabled),
    STATE_BOOL(struct i8042, kbd_break),
    STATE_BOOL(struct i8042, aux_enabled),
    STATE_BOOL(struct i8042, aux_remote),
    STATE_BOOL(struct i8042, aux_scale21),
    STATE_BOOL(struct i8042, aux_wrap),
    STATE_EACH(struct i8042, reply_aux, , 0, 1),
};

const struct dev_ops i8042_ops = {
    .name = "i8042",
    .state_size = offsetof(struct i8042, wires_begin),
    .min_size = 1,
    .max_size = 1,
    .read = kbc_read,
    .write = kbc_write,
    .reset = kbc_reset,
    .run_until = kbc_run_until,
    .rules = rules,
    .rule_count = ARRAY_LEN(rules),
};
