def before_scenario(c, s):
    if "hook" in s.tags: raise RuntimeError("hook")
    if "skip" in s.tags: s.skip("marked")
