/* SPDX-License-Identifier: MIT */
/* demo.c - see demo.h. The kernels are at the end of programs.S. */
#include "lab/demo.h"

#include "lab/run.h"

#define DEMO(name)                                                                                 \
    extern const uint8_t lab_demo_##name[], lab_at_demo_##name[], lab_end_demo_##name[];
DEMO(lost_cli)
DEMO(red_pill)
DEMO(ring)
DEMO(scheduler)
#undef DEMO

#define PROGRAM(name, eax)                                                                         \
    {                                                                                              \
        .code = lab_demo_##name, .at = lab_at_demo_##name, .end = lab_end_demo_##name,             \
        .want = (eax), .mask = ~0u                                                                 \
    }

static const struct story {
    struct program program;
    const char *title, *kernel;
    const char *says; /* printf's format, of EAX */
} stories[] = {
    {PROGRAM(lost_cli, 0), "A lost CLI",
     "It restores flags with IF = 0 by POPF and works 20 ms on what the timer's handler uses too.",
     "%u interrupts came into the critical section"},
    {PROGRAM(red_pill, LAB_IDT), "The red pill",
     "It asks by SIDT where its IDT is, and knows that it put it at 0x00502800.",
     "the IDT is at 0x%08x"},
    {PROGRAM(ring, 0), "Which ring is this?", "It looks at the two low bits of CS.",
     "this is ring %u"},
    {PROGRAM(scheduler, 1), "The scheduler that hangs",
     "Its idle loop turns interrupts on by POPF and waits for the timer.", "%u tick, and on"},
};

/* Returns whether the kernel is right. */
static bool tell(FILE *f, const struct story *s, enum way w)
{
    struct seen seen;
    char text[96];

    if (!way_run(w, &s->program, &seen)) {
        fprintf(f, "  %-14s did not run\n", way_title(w));
        return false;
    }
    bool right = seen.ended && seen.eax == s->program.want;
    snprintf(text, sizeof text, s->says, seen.eax);
    fprintf(f, "  %-14s %s: %s\n", way_title(w), right ? "right" : "WRONG",
            seen.ended ? text : "it hangs");
    return right;
}

int demo(FILE *f)
{
    unsigned odd = 0;

    for (unsigned n = 0; n < ARRAY_LEN(stories); n++) {
        fprintf(f, "%s%s\n  %s\n", n ? "\n" : "", stories[n].title, stories[n].kernel);
        odd += tell(f, &stories[n], WAY_RING1);
        odd += !tell(f, &stories[n], WAY_TRANSLATED);
    }
    fprintf(f, "\nNo trap came, so trap-and-emulate never knew. The translator looks at the "
               "instructions before they run.\n");
    return odd != 0;
}
