"""A seeded simulation of the whole product: many users, several days, and every fault that can occur.

    history       what is asked for, by whom and when: drawn from the seed, or cut down by `shrink`
    interleaving  one thread, one simulated clock; an invocation gives way at each call that leaves the process
    faults        what can happen to such a call, and which calls are struck: by the seed, or by a list
    world         Firestore, OpenAI, Storage and messaging; every call to them goes through interleaving and faults
    actions       the use cases as the app, Cloud Scheduler, OpenAI's webhooks and operators call them
    drain         afterwards: no more faults, only the crons, until nothing is left to do
    invariants    what must be true at every moment: the budget and teams, checked after each write
    cache         photos that are sent again, and what has to be true of answers that are given again
    teams         who founds, joins, spends and goes, and what has to be true of members and their limits
    checks        what must be true in the end, from documents, Storage and OpenAI's side; `schema` lists the fields
    mutations     known ways of breaking the code; the checks have to notice each of them
    places        where in a function's syntax tree each mutation breaks it

`docs/simulation.md` says what is simulated and how to replay a seed.
"""
