*** Test Cases ***
Passes
    Log    hello
Fails
    Fail    because <&>
Skipped
    Skip    not now
