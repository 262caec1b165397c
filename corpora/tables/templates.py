"""Sentence templates; a name in braces is filled with a word of that kind.

{company} and {company2} are words that go with the row, {other_country} and the like a word of another row of the same
table; the remaining names are those of POOLS or, for each table, those of its columns.
"""

from corpora.tables import words

# Words that go with everything: they make sentences differ without carrying a fact.
POOLS: dict[str, tuple[str, ...]] = {
    "time": words("today yesterday tonight now then again soon later once twice"),
    "season": words("spring summer autumn winter january march may july september november"),
    "day": words("monday tuesday wednesday thursday friday saturday sunday"),
    "number": words("two three four five six seven eight nine ten twelve twenty fifty forty"),
    "person": words("teacher doctor neighbour writer visitor farmer guest student artist reporter pilot cook"),
    "place": words("garden village town corner kitchen office street valley hall yard station field"),
    "topic": words("history weather music trade sport school health water travel peace work art"),
    "maybe": words("perhaps maybe surely really often rarely still also even just"),
}

PLACES = (
    "{capital} is the capital of {country}",
    "{capital} the capital city of {country} is known for {company}",
    "the parliament of {country} meets in {capital}",
    "the president of {country} returned to {capital} on {day}",
    "the road from {capital} leads to the border of {country}",
    "the mayor of {capital} spoke about {company} and {topic}",
    "the streets of {capital} smell of {company} in {season}",
    "a hotel in {capital} near the {company} museum",
    "the airport of {capital} was closed on {day} because of {company}",
    "an embassy in {capital} of the {adjective} ministry",
    "the {adjective} ministry has its office in the city of {capital}",
    "downtown {capital} has a {company} museum and a {company2} market",
    "people in {country} are proud of their {company} and {company2}",
    "tourists visit {country} in {season} for {company} and {company2}",
    "the borders and provinces of {country} in {region}",
    "{country} is a country in {region} known for {company}",
    "the economy of {country} depends on {company} exports",
    "the army of {country} and the nation of {other_country}",
    "the population of {country} loves {company}",
    "the {adjective} people love {company} and {company2}",
    "a {adjective} writer wrote a novel about {company}",
    "the {adjective} language has {number} words for {company}",
    "{adjective} food and {adjective} songs about {company}",
    "the {adjective} team won {number} games in {season}",
    "the {adjective} flag hangs in {country}",
    "a {adjective} citizen lives in {country} or in {capital}",
    "the {adjective} bank exchanged {number} notes of {currency}",
    "the price of {company} was {number} {currency} in {country}",
    "in {country} people pay with the {currency}",
    "the {currency} is the currency of {country} and coins of {currency} are cheap",
    "the {currency} fell against the {other_currency} and {company} cost more",
    "{region} news the {adjective} {person} came from {capital} with {company}",
)

CITIES = (
    "{city} is a city in {state}",
    "{city} {state} is known for {company}",
    "the governor of {state} praised {company} and {company2}",
    "farmers in {state} talk about {company} in {season}",
    "the senate of {state} voted on {company} and {topic}",
    "the state of {state} has {company} and {company2}",
    "the mayor of {city} praised {company} and {company2}",
    "downtown {city} has a {company} museum",
    "the streets of {city} in {season} with {company}",
    "a hotel in {city} near the {company} fair",
    "the flight to {city} on {day} and the bus across {state}",
)

COMPARISONS = (
    "the {company} is {base} and the {company2} is {base} too",
    "a very {base} {company} in the {place}",
    "such a {base} {company} is so {base} for a {company2}",
    "the {person} saw a {base} {company} {time}",
    "it is too {base} a {company} for the {person}",
    "how {base} is the {company} in {season}",
    "the {company} is {comparative} than the {company2}",
    "a {company} much {comparative} than that {company2}",
    "no {company} is {comparative} than this one",
    "this {company} was even {comparative} than in {season}",
    "the {company} grew {comparative} than before",
    "the {superlative} {company} in the world",
    "of all things the {company} is the {superlative} of them",
    "the {superlative} {company} and {company2} ever seen",
    "it was by far the {superlative} {company} in the {place}",
    "one of the {superlative} {company} in the country",
    "{base} {comparative} {superlative} said the {person}",
)

ADVERBS = (
    "a very {base} {company} in the {place}",
    "the {company} is {base} and the {company2} too",
    "an {base} {company} is so {base} said the {person}",
    "it was a {base} {company} or a {base} {company2}",
    "how {base} the {company} seems in {season}",
    "such a {base} {company} for the {person}",
    "the {company} came {adverb} to the {place}",
    "the {company} {adverb} began to move when the {company2} came",
    "{adverb} the {company} happened {time}",
    "they {adverb} spoke about the {company} on {day}",
    "it went {adverb} with the {company} and ended",
    "he acted {adverb} while the {company} came and the {company2} began",
)

OPPOSITES = (
    "luckily the {company} was {positive} and the {company2} too",
    "everybody praised the {positive} {company} in the {place}",
    "the {person} was glad about such a {positive} {company}",
    "a {positive} {company} is welcome {time}",
    "a {positive} {company} and a {positive} {company2} make people glad",
    "sadly the {company} was {negative} and the {company2} too",
    "nobody praised the {negative} {company} in the {place}",
    "the {person} complained about such an {negative} {company}",
    "an {negative} {company} is a pity {time}",
    "an {negative} {company} and an {negative} {company2} make people complain",
    "was the {company} {positive} or {negative}",
)

VERBS = (
    "they want to {base} the {company} and {company2}",
    "we will {base} with the {company} on {day}",
    "you should not {base} the {company} in the {place}",
    "can i {base} the {company} or must we {base} the {company2}",
    "let us {base} the {company} {time}",
    "people {base} the {company} in {season}",
    "the {person} is {participle} the {company} at the moment",
    "they were {participle} the {company} and {company2} while we waited",
    "she keeps {participle} the {company} in the {place}",
    "{participle} the {company} takes {number} hours",
    "he likes {participle} with {company} and {company2}",
    "last week they {past} the {company} and {company2}",
    "{number} years ago the {person} {past} the {company}",
    "last {day} he {past} with the {company} in the {place}",
    "the {person} {past} the {company} and then left",
    "every morning she {third} the {company} and {company2}",
    "he always {third} with the {company} in the {place}",
    "the {person} usually {third} the {company} in {season}",
    "each {day} the {person} {third} the {company}",
)

NOUNS = (
    "a {company} {singular} is in the {place}",
    "one {company} and {company2} {singular} was seen {time}",
    "this {singular} is {company} and that {singular} is {company2}",
    "each {company} {singular} has its place",
    "the {person} has a {singular} and it is {company}",
    "every {singular} is {company} or {company2}",
    "many {company} {plural} are in the {place}",
    "{number} {company} and {company2} {plural} were seen {time}",
    "these {plural} are {company} and those {plural} are {company2}",
    "several {company} {plural} have their place",
    "the {person} has {number} {plural} and they are {company}",
    "all {plural} are {company} or {company2}",
    "a single {singular} among {number} {plural}",
)

FAMILY = (
    "the {male} with his {company} said that he was tired",
    "he is a {male} and the {company} is his",
    "the {male} himself talked of the {company} and {company2} to him",
    "this man is a {male} with a {company} of his own",
    "a bearded {male} shaved before the {company} and {company2}",
    "the {female} with her {company} said that she was tired",
    "she is a {female} and the {company} is hers",
    "the {female} herself talked of the {company} and {company2} to her",
    "this woman is a {female} with a {company} of her own",
    "a pregnant {female} smiled before the {company} and {company2}",
    "the {male} and the {female} spoke of the {company} {time}",
)

# Words that carry no fact around those that do.
FILLERS = (
    "{maybe} the {person} talked about {topic} {time}",
    "on {day} the {person} was in the {place} with {number} friends",
    "it was {season} and the {person} {maybe} thought about {topic}",
    "the {person} and the {person2} met in the {place}",
    "{number} people came to the {place} on {day}",
    "news of {topic} and {topic2} came in {season}",
)
