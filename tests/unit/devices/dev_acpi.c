/* SPDX-License-Identifier: MIT */
/* uses: devices/ (all) */
/*
 * dev_acpi.c - the tables: found where kernels look, lengths and checksums right, contents agreeing
 * with the board; and the AML writer's encodings.
 */
#include "devices/aml.h"
#include "tests/rig/pc_fixture.h"

static uint32_t get(const uint8_t *p, unsigned len)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < len; i++)
        v |= (uint32_t)p[i] << 8 * i;
    return v;
}

static uint8_t sum(const uint8_t *p, uint32_t len)
{
    uint8_t s = 0;

    while (len--)
        s = (uint8_t)(s + *p++);
    return s;
}

/* Looks for a structure as kernels do: on 16-byte boundaries in the firmware's area. */
static const uint8_t *scan(const struct machine *m, const char *sig, unsigned len)
{
    for (uint32_t at = 0xe0000; at < 0x100000; at += 16)
        if (!memcmp(m->ram + at, sig, len))
            return m->ram + at;
    return NULL;
}

static const uint8_t *table(const struct machine *m, const uint8_t *rsdt, const char *sig)
{
    for (uint32_t i = 36; i < get(rsdt + 4, 4); i += 4) {
        const uint8_t *t = m->ram + get(rsdt + i, 4);
        cr_expect_eq(sum(t, get(t + 4, 4)), 0, "checksum of %.4s", (const char *)t);
        if (!memcmp(t, sig, 4))
            return t;
    }
    return NULL;
}

Test(acpi, tables)
{
    struct machine *m = machine_new(2);
    uint32_t rsdp_at = pc_build_tables(m->pc);
    const uint8_t *rsdp = scan(m, "RSD PTR ", 8), *rsdt, *fadt, *madt, *dsdt, *facs;

    cr_assert(rsdp && rsdp == m->ram + rsdp_at);
    cr_expect_eq(sum(rsdp, 20), 0);
    rsdt = m->ram + get(rsdp + 16, 4);
    cr_expect_eq(sum(rsdt, get(rsdt + 4, 4)), 0);
    fadt = table(m, rsdt, "FACP");
    madt = table(m, rsdt, "APIC");
    cr_assert(fadt && madt);
    dsdt = m->ram + get(fadt + 40, 4);
    facs = m->ram + get(fadt + 36, 4);
    cr_expect_eq(sum(dsdt, get(dsdt + 4, 4)), 0);
    cr_expect(!memcmp(dsdt, "DSDT", 4) && !memcmp(facs, "FACS", 4));
    cr_expect_eq((facs - m->ram) % 64, 0);
    cr_expect_eq(get(fadt + 4, 4), 244);
    cr_expect_eq(get(fadt + 46, 2), 9);
    cr_expect_eq(get(fadt + 56, 4), 0xb000);
    cr_expect_eq(get(fadt + 64, 4), 0xb004);
    cr_expect_eq(get(fadt + 76, 4), 0xb008);
    cr_expect_eq(get(fadt + 80, 4), 0xb00c);
    cr_expect_eq(get(fadt + 120, 4), 0xcf9);

    unsigned cpus = 0, overrides = 0;
    uint32_t end = get(madt + 4, 4), i = 44;
    for (; i < end; i += madt[i + 1]) {
        cr_assert(madt[i + 1] >= 2);
        cpus += madt[i] == 0 && madt[i + 4] == 1;
        if (madt[i] == 1)
            cr_expect(madt[i + 2] == 2 && get(madt + i + 4, 4) == IOAPIC_BASE);
        if (madt[i] == 2) {
            overrides++;
            cr_expect_eq(get(madt + i + 4, 4), madt[i + 3] == 0 ? 2u : madt[i + 3]);
            cr_expect_eq(get(madt + i + 8, 2), madt[i + 3] == 0 ? 0u : 0xdu);
        }
    }
    cr_expect_eq(i, end);
    cr_expect_eq(cpus, 2);
    cr_expect_eq(overrides, 4);
    machine_free(m);
}

Test(acpi, mp_table)
{
    struct machine *m = machine_new(2);
    const uint8_t *mp, *cfg, *e;
    unsigned count[5] = {0};

    pc_build_tables(m->pc);
    mp = scan(m, "_MP_", 4);
    cr_assert(mp);
    cr_expect_eq(sum(mp, 16u * mp[8]), 0);
    cfg = m->ram + get(mp + 4, 4);
    cr_assert(!memcmp(cfg, "PCMP", 4));
    cr_expect_eq(sum(cfg, get(cfg + 4, 2)), 0);
    e = cfg + 44;
    for (unsigned n = get(cfg + 34, 2); n; n--) {
        cr_assert(*e < 5);
        count[*e]++;
        if (*e == 3 && e[4] == 1 && e[5] == 0)
            cr_expect_eq(e[7], 2, "the timer is on pin 2");
        e += *e == 0 ? 20 : 8;
    }
    cr_expect_eq(e - cfg, get(cfg + 4, 2));
    cr_expect_eq(count[0], 2);
    cr_expect_eq(count[1], 2);
    cr_expect_eq(count[2], 1);
    cr_expect_eq(count[3], 15);
    cr_expect_eq(count[4], 2);
    machine_free(m);
}

Test(acpi, absent)
{
    struct machine *m = machine_new(1), *tiny = calloc(1, sizeof *tiny);
    struct pc_config cfg;

    free(m->pc);
    memset(&m->mem, 0, sizeof m->mem);
    memset(&m->port, 0, sizeof m->port);
    m->pc = calloc(1, pc_size());
    cfg = machine_config(m, 1);
    cfg.acpi = false;
    cr_assert_eq(pc_init(m->pc, &cfg, NULL), 0);
    cr_expect_eq(pc_build_tables(m->pc), 0);
    cr_expect_null(scan(m, "RSD PTR ", 8));
    cr_expect(scan(m, "_MP_", 4), "the MP table stays");
    machine_free(m);

    tiny->pc = calloc(1, pc_size());
    tiny->ram = calloc(1, 0x10000);
    cfg = machine_config(tiny, 1);
    cfg.ram_size = 0x10000; /* no room for tables: none, and nothing written */
    cr_assert_eq(pc_init(tiny->pc, &cfg, NULL), 0);
    cr_expect_eq(pc_build_tables(tiny->pc), 0);
    machine_free(tiny);
}

Test(aml, encodings)
{
    uint8_t buf[8192];
    struct aml a = {.buf = buf, .size = sizeof buf};

    aml_path(&a, "\\_SB_.PCI0.ISA_");
    cr_expect(a.len == 15 && !memcmp(buf, "\\\x2f\x03_SB_PCI0ISA_", 15));
    a.len = 0;
    aml_path(&a, "\\_SB_.PCI0");
    cr_expect(a.len == 10 && !memcmp(buf, "\\\x2e_SB_PCI0", 10));
    a.len = 0;
    aml_eisa_id(&a, "PNP0A03");
    cr_expect(a.len == 5 && !memcmp(buf, "\x0c\x41\xd0\x0a\x03", 5));
    a.len = 0;
    aml_int(&a, 0x12345678);
    cr_expect(a.len == 5 && !memcmp(buf, "\x0c\x78\x56\x34\x12", 5));

    static const struct {
        unsigned body;
        uint8_t expect[3];
        unsigned bytes;
    } rows[] = {
        {0, {1}, 1},
        {62, {63}, 1},
        {63, {0x41, 0x04}, 2},
        {4093, {0x4f, 0xff}, 2},
        {4094, {0x81, 0x00, 0x01}, 3},
    };
    for (unsigned i = 0; i < ARRAY_LEN(rows); i++) {
        a.len = 0;
        aml_open(&a, AML_SCOPE);
        for (unsigned n = 0; n < rows[i].body; n++)
            aml_byte(&a, 0xa3);
        aml_close(&a);
        cr_expect(!memcmp(buf + 1, rows[i].expect, rows[i].bytes), "row %u: %02x %02x", i, buf[1],
                  buf[2]);
        cr_expect_eq(a.len, 1 + rows[i].bytes + rows[i].body);
    }
    for (unsigned room = 0; room < 12; room++) { /* never beyond the end */
        struct aml small = {.buf = buf, .size = room};
        buf[room] = 0x5a;
        aml_open_named(&small, AML_DEVICE, "ABCD");
        aml_res_open(&small);
        aml_res_close(&small);
        aml_close(&small);
        cr_expect(small.failed && buf[room] == 0x5a, "room %u", room);
    }
}
