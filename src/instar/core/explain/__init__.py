"""Why things are as they are: recorded decisions told in sentences.

What belongs here: words about decisions that other rooms took. What does not: deciding anything.
"""
