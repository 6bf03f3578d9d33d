/* SPDX-License-Identifier: MIT */
/* uses: monitor/cpu/cpuid.c monitor/arch/msr.c monitor/arch/tsc.c */
/* cpuid.c - the CPU models: consistent with themselves, with the host's units and with what guests
 * compute from them. */
#include "tests/rig/mmu_fixture.h"

static void brand_of(const struct vcpu *v, char out[49])
{
    for (unsigned i = 0; i < 3; i++) {
        struct cpuid_result r = cpuid_leaf(v, 0x80000002u + i, 0);
        memcpy(out + i * 16, &r, 16);
    }
    out[48] = 0;
}

Test(cpuid, models)
{
    struct vcpu *v = fx_open("ring1");
    char brand[49];

    cr_expect_str_eq(cpu_model_at(0)->name, "ring1");
    cr_expect_null(cpu_model_find("no such model"));
    cr_expect_null(cpu_model_find("ring"));
    for (unsigned i = 0; cpu_model_at(i); i++) {
        const struct cpu_model *m = cpu_model_at(i);
        struct cpuid_result r;
        char vendor[13] = {0};

        cr_expect(cpu_model_find(m->name) == m, "%s", m->name);
        fx_vm.cpu_model = m;
        msr_reset(v);
        r = cpuid_leaf(v, 0, 0);
        cr_expect(r.eax == m->max_leaf, "%s: highest leaf %x", m->name, r.eax);
        memcpy(vendor, &r.ebx, 4);
        memcpy(vendor + 4, &r.edx, 4);
        memcpy(vendor + 8, &r.ecx, 4);
        cr_expect_str_eq(vendor, m->vendor);
        r = cpuid_leaf(v, 1, 0);
        cr_expect((r.eax >> 8 & 0xf) == m->family && (r.eax & 0xf) == m->stepping, "%s: %x",
                  m->name, r.eax);
        cr_expect(((r.eax >> 4 & 0xf) | (r.eax >> 12 & 0xf0)) == m->model, "%s: %x", m->name,
                  r.eax);
        cr_expect(r.edx == m->feat_1_edx, "%s: edx %x", m->name, r.edx);
        /* A feature implies those it is built on. */
        cr_expect(!(r.edx & CPUID_1_EDX_SSE2) || (r.edx & CPUID_1_EDX_SSE), "%s", m->name);
        cr_expect(!(r.edx & CPUID_1_EDX_SSE) || (r.edx & CPUID_1_EDX_FXSR), "%s", m->name);
        cr_expect(!m->feat_80000001_edx || (r.edx & CPUID_1_EDX_PAE), "%s: NX needs PAE", m->name);
        cr_expect(!m->feat_7_ebx || m->max_leaf >= 7, "%s", m->name);
        cr_expect(!m->arch_capabilities == !(m->feat_7_edx & CPUID_7_EDX_ARCH_CAP), "%s", m->name);
        cr_expect(m->max_leaf >= 4 || !m->feat_1_ecx, "%s", m->name);
        if (m->brand) {
            cr_expect(cpuid_leaf(v, 0x80000000u, 0).eax == 0x80000008u, "%s", m->name);
            brand_of(v, brand);
            cr_expect_str_eq(brand, m->brand);
        } else { /* like the highest basic leaf */
            struct cpuid_result top = cpuid_leaf(v, m->max_leaf, 0),
                                ext = cpuid_leaf(v, 0x80000000u, 0);
            cr_expect(memcmp(&top, &ext, sizeof(top)) == 0, "%s", m->name);
        }
    }
}

Test(cpuid, leaves)
{
    struct vcpu *v = fx_open("ring1");
    struct cpuid_result r;

    /* Cache sizes as the guest computes them. */
    static const uint32_t cache[] = {32 << 10, 32 << 10, 1 << 20};
    for (unsigned i = 0; i < 3; i++) {
        r = cpuid_leaf(v, 4, i);
        cr_expect(((r.ebx >> 22) + 1) * ((r.ebx & 0xfff) + 1) * (r.ecx + 1) == cache[i], "cache %u",
                  i);
    }
    cr_expect((cpuid_leaf(v, 4, 3).eax & 0x1f) == 0, "no more caches");
    cr_expect((cpuid_leaf(v, 2, 0).eax & 0x800000ff) == 1);
    /* TSC from the crystal, in the 32-bit arithmetic of the guests. */
    static const uint32_t khz[] = {2600000, 1000000, 2595000, 999000, 3999000};
    for (unsigned i = 0; i < ARRAY_LEN(khz); i++) {
        fx_host.guest_tsc_khz = khz[i];
        r = cpuid_leaf(v, 0x15, 0);
        cr_expect(r.ecx == 1000000000 && r.ecx / 1000 * r.ebx / r.eax == khz[i], "%u kHz: %u/%u",
                  khz[i], r.ebx, r.eax);
        cr_expect(cpuid_leaf(v, 0x16, 0).eax == khz[i] / 1000);
    }
    fx_host.guest_tsc_khz = 2599999;
    cr_expect(cpuid_leaf(v, 0x15, 0).eax == 0, "a ratio that would overflow");
    /* Beyond the last leaf: the last leaf. Hypervisor leaf: a name and nothing else. */
    r = cpuid_leaf(v, 0x17, 0);
    cr_expect(r.eax == cpuid_leaf(v, 0x16, 0).eax);
    r = cpuid_leaf(v, 0x40000000, 0);
    cr_expect(r.eax == 0x40000000 && memcmp(&r.ebx, "ring1ring1  ", 12) == 0);
    cr_expect(cpuid_leaf(v, 0x40000001, 0).eax == 0);
    cr_expect(cpuid_leaf(v, 0x80000008u, 0).eax == 0x2024 &&
              (cpuid_leaf(v, 0x80000007u, 0).edx & 0x100));
    /* Host masks. */
    cr_expect(cpu_has_1_ecx(v, CPUID_1_ECX_AES) && !cpu_has_1_ecx(v, CPUID_1_ECX_RDRAND));
    fx_host.host_feat_1_ecx = ~CPUID_1_ECX_AES;
    cr_expect(!cpu_has_1_ecx(v, CPUID_1_ECX_AES) && cpu_has_1_ecx(v, CPUID_1_ECX_SSE42));
    fx_host.host_feat_1_ecx = 0;
    cr_expect(cpu_has_1_ecx(v, CPUID_1_ECX_MOVBE), "not the host's business");
    /* Switches in MSRs. */
    v->msr.apic_base &= ~(1ull << 11);
    cr_expect(!(cpuid_leaf(v, 1, 0).edx & CPUID_1_EDX_APIC));
    v->msr.misc_enable |= 1u << 22;
    cr_expect(cpuid_leaf(v, 0, 0).eax == 3);
    v->msr.misc_enable |= 1ull << 34;
    cr_expect(!(cpuid_leaf(v, 0x80000001u, 0).edx & CPUID_EXT1_EDX_NX));
    v->msr.misc_enable = 0;
    /* Topology. */
    fx_vm.cpu_count = 4;
    v->id = 3;
    cr_expect(cpuid_leaf(v, 0xb, 0).ebx == 1 && cpuid_leaf(v, 0xb, 1).ebx == 4 &&
              cpuid_leaf(v, 0xb, 1).eax == 2);
    cr_expect(cpuid_leaf(v, 0xb, 1).edx == 3 && cpuid_leaf(v, 1, 0).ebx >> 24 == 3);
    cr_expect((cpuid_leaf(v, 0xb, 2).ecx & 0xff00) == 0);
}
