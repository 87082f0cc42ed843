"""Who may do what, and what a person set: access, activation, sending, commands, patches, tools, budgets, scopes.

What belongs here: decisions over settings and facts that are handed in, each with the rule that gave the answer. What
does not: loading the facts, acting on the answer, or the spelling of settings in files (`instar.config.sections`).
"""
