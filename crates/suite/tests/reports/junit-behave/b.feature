Feature: Hooks
  @hook
  Scenario: hook fails
    When it passes
  Scenario: empty
